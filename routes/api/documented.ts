import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { documentFrame, isTold, type DocumentParts, type RouteSchema } from '../../lib/api/document.ts'

/** What @fastify/swagger gives. */
type OpenApiDocument = Readonly<Record<string, unknown>> & { readonly components: { readonly schemas: Readonly<Record<string, unknown>> } }

/** Where the page is, and the document, below the prefix of the API. */
const [DOCS, DOCUMENT] = ['/docs', '/openapi.json']

/** URLs that are only read. */
export function documentUrls (hasDocs: boolean): string[] {
  return hasDocs ? [DOCUMENT, DOCS, `${DOCS}/*`] : [DOCUMENT]
}

/** The document of all routes that come after it in the scope, by @fastify/swagger, and its page, by @fastify/swagger-ui. */
export async function documented (scope: FastifyInstance, parts: DocumentParts, hasDocs: boolean): Promise<void> {
  const { default: swagger } = await import('@fastify/swagger') // who has no API needs none of it
  const frame = documentFrame(parts)
  // A host may have one of its own, for its own routes.
  const decorator = scope.hasDecorator('swagger') ? 'mediaDocument' : 'swagger'
  const options: object = {
    decorator,
    // Paths of the document are below the URL of the server.
    openapi: { ...frame, servers: [{ url: scope.prefix === '' ? '/' : scope.prefix }] },
    transform: ({ schema = {}, url }: { schema?: Partial<RouteSchema>, url: string }) => ({ schema: { ...schema, hide: !isTold(schema) }, url }),
    transformObject: ({ openapiObject }: { openapiObject: OpenApiDocument }) => ownSchemas(openapiObject)
  }
  await scope.register(swagger as unknown as FastifyPluginAsync<object>, options)
  const documentOf = (scope as unknown as Record<string, () => OpenApiDocument>)[decorator] as () => OpenApiDocument
  const documentFor = ({ publicBase = '' }: FastifyRequest): OpenApiDocument => ({ ...documentOf(), servers: [{ url: `${publicBase}${scope.prefix}` || '/' }] })

  scope.route({ method: 'GET', url: DOCUMENT, schema: { hide: true }, handler: function sendDocument (request: FastifyRequest, reply: FastifyReply) { reply.type('application/json; charset=utf-8').send(JSON.stringify(documentFor(request))) } })
  if (hasDocs) await docsPage(scope, documentFor)
}

/** Called rather than registered: it decorates the scope, and a host may have one of its own. */
async function docsPage (scope: FastifyInstance, documentFor: (request: FastifyRequest) => OpenApiDocument): Promise<void> {
  const { default: swaggerUi } = await import('@fastify/swagger-ui')
  const around = { decorate: () => undefined, register: async (pages: FastifyPluginAsync<object>, options: object) => await scope.register(pages, options) }
  await (swaggerUi as unknown as (app: typeof around, options: object) => Promise<void>)(around, {
    routePrefix: DOCS,
    indexPrefix: scope.prefix,
    theme: { title: 'fastify-media API' },
    transformSpecification: (_document: unknown, request: FastifyRequest) => documentFor(request),
    transformSpecificationClone: false
  })
}

/** Those of the API alone: a host's own are known in every scope. */
function ownSchemas (document: OpenApiDocument): OpenApiDocument {
  const { components } = document
  return { ...document, components: { ...components, schemas: { Problem: components.schemas.Problem } } }
}
