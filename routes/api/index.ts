import { METHODS } from 'node:http'
import type { FastifyInstance, RouteHandlerMethod } from 'fastify'
import { routeSchema, type DocumentParts } from '../../lib/api/document.ts'
import type { Api, ApiTools } from '../../lib/api/open.ts'
import { operations, type Operation, type OperationId } from '../../lib/api/operations.ts'
import { Permissions } from '../../lib/api/permissions.ts'
import { checkFailure, requestChecks } from '../../lib/api/request-check.ts'
import { MediaError } from '../../lib/errors.ts'
import { otherMethods, refusePattern, urlsOf } from '../read-only.ts'
import { changing } from './changing.ts'
import { documented, documentUrls } from './documented.ts'
import { granting } from './granting.ts'
import { reading } from './reading.ts'

/** Bytes of a JSON body: paths are some thousand. Whoever may use the API pushes against it. */
const MAX_JSON_BYTES = 65_536

/** The API for programs: below the prefix of its scope, every URL of which asks who is there. */
export default async function api (scope: FastifyInstance, options: { readonly api: Api }): Promise<void> {
  refusePattern(scope.prefix)
  const tools: ApiTools = { ...options.api, permissions: new Permissions(options.api.mounts.all, scope.strategies) }
  const parts: DocumentParts = { ...tools.document, strategies: scope.strategies }
  const checks = requestChecks()
  scope.setValidatorCompiler(({ schema, httpPart }) => checks(schema as object, httpPart))
  scope.setSchemaErrorFormatter(errors => checkFailure(errors as Parameters<typeof checkFailure>[0]))
  scope.setSerializerCompiler(() => JSON.stringify) // handlers are held to their schemas by their types
  takeJson(scope)
  unknownRoutes(scope)
  await scope.register(async function described (inner) {
    await documented(inner, parts, tools.hasDocs)
    const handlers = { ...reading(tools), ...changing(tools), ...granting(tools) }
    operationRoutes(inner, parts, handlers)
    await inner.register(async function uploads (files) {
      takeAnything(files)
      route(files, 'uploadFile', { handler: handlers.uploadFile, parts })
    })
  })
  for (const [url, methods] of [...methodsByUrl(), ...documentUrls(tools.hasDocs).map(read => [read, ['GET', 'HEAD']] as const)]) otherMethods(scope, url, { methods: [...methods, 'OPTIONS'], fields: {} })
}

/** All but the one that takes more than JSON. */
function operationRoutes (scope: FastifyInstance, parts: DocumentParts, handlers: Readonly<Record<OperationId, RouteHandlerMethod>>): void {
  for (const id of Object.keys(operations) as OperationId[]) if (id !== 'uploadFile') route(scope, id, { handler: handlers[id], parts })
}

function route (scope: FastifyInstance, id: OperationId, { handler, parts }: { handler: RouteHandlerMethod, parts: DocumentParts }): void {
  const { method, url } = operations[id]
  scope.route({ method, url, schema: routeSchema(id, parts), handler })
}

/** Of the URLs of operations, HEAD where there is GET. */
function methodsByUrl (): Map<string, string[]> {
  const methods = new Map<string, string[]>()
  for (const { method, url } of Object.values<Operation>(operations)) methods.set(url, [...methods.get(url) ?? [], ...method === 'GET' ? ['GET', 'HEAD'] : [method]])
  return methods
}

/** Nothing else is read; `__proto__` and `constructor` in it are refused. */
function takeJson (scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('application/json', { parseAs: 'string', bodyLimit: MAX_JSON_BYTES }, scope.getDefaultJsonParser('error', 'error'))
}

/** The bytes of a file are taken as they come, by whoever writes them. */
function takeAnything (scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', function leaveBody (_request, _payload, done) { done(null) })
}

/** Nobody learns which URLs there are who is not let in. */
function unknownRoutes (scope: FastifyInstance): void {
  const methods = METHODS.filter(method => method !== 'CONNECT')
  for (const method of methods) if (!scope.supportedMethods.includes(method)) scope.addHttpMethod(method)
  for (const url of urlsOf(scope)) scope.route({ method: methods, url, schema: { hide: true }, handler: answerUnknown, errorHandler: answerUnknown, config: { refused: true } })
}

/** Whatever is wrong with its body. What a hook refused stays so. */
function answerUnknown (first: unknown): never {
  throw first instanceof MediaError ? first : new MediaError('not-found')
}
