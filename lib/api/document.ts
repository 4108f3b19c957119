import type Type from 'typebox'
import { namesIn } from '../access/policy.ts'
import { requirementFor } from '../access/requirement.ts'
import type { ApiConfig } from '../config/writing-schema.ts'
import { failures, type FailureCode } from '../errors.ts'
import { commonFailures, operations, type Operation, type OperationId } from './operations.ts'
import { Problem } from './schemas.ts'
import { schemesOf, securityFor, type SecurityRequirement, type StrategiesTold } from './security-schemes.ts'

/** What the document is made of beside the operations. */
export interface DocumentParts extends StrategiesTold {
  readonly access: ApiConfig['access']
  readonly isLimited: boolean
}

/** An answer as the framework takes it. */
interface RouteAnswer {
  readonly description: string
  readonly headers?: Readonly<Record<string, object>>
  readonly content?: Readonly<Record<string, { readonly schema: object }>>
  readonly type?: 'null'
}

/** A route's schema: what is checked of requests, and what is told of it. */
export interface RouteSchema {
  readonly operationId: string
  readonly summary: string
  readonly description: string
  readonly tags: readonly string[]
  readonly security: readonly SecurityRequirement[]
  /** Left out of the document of a host, which knows none of the schemes. */
  readonly hide: true
  readonly querystring?: Type.TObject
  readonly headers?: Type.TObject
  readonly body?: Type.TObject | { readonly description: string, readonly content: Readonly<Record<string, { readonly schema: object }>> }
  readonly response: Readonly<Record<number, RouteAnswer>>
}

/** Where answers find the one schema of failures. */
export const PROBLEM_REF = '#/components/schemas/Problem'

const PROBLEM_TYPE = 'application/problem+json'

/** The schema of the route of an operation. */
export function routeSchema (id: OperationId, parts: DocumentParts): RouteSchema {
  const operation: Operation = operations[id]
  const { method, summary, description, query, headers, body } = operation
  const security = securityFor(method, parts.access, parts)
  return {
    operationId: id,
    summary,
    description,
    tags: [method === 'GET' ? 'Reading' : 'Changing'],
    security,
    hide: true,
    ...query === undefined ? {} : { querystring: query },
    ...headers === undefined ? {} : { headers },
    ...body === undefined ? {} : { body: body === 'any' ? bytes : body },
    response: { ...successes(operation), ...problems([...commonFailures, ...parts.isLimited ? ['too-many-requests'] as const : [], ...operation.failures]) }
  }
}

/** Whether a route is in the document: whoever may use it has to send something, or nothing. What nobody may use is not. */
export function isTold ({ security = [] }: Partial<Pick<RouteSchema, 'security'>>): boolean {
  return security.length > 0
}

/** Any type: what it may be, the mount says. An empty schema is that of bytes (OpenAPI 3.1 §4.8.14.1). */
const bytes = { description: 'The bytes of the file, in its own media type', content: { '*/*': { schema: {} } } }

function successes ({ answers }: Operation): Record<number, RouteAnswer> {
  return Object.fromEntries(Object.entries(answers).map(([status, { description, schema, headers }]) => [status, {
    description,
    ...headers === undefined ? {} : { headers: Object.fromEntries(Object.entries(headers).map(([name, told]) => [name, { type: 'string', description: told }])) },
    ...schema === undefined ? { type: 'null' as const } : { content: { 'application/json': { schema } } }
  }]))
}

/** One answer for each status: its codes are in its description. */
export function problems (codes: readonly FailureCode[]): Record<number, RouteAnswer> {
  const statuses = [...new Set(codes.map(code => failures[code][0]))]
  return Object.fromEntries(statuses.map(status => [status, {
    description: [...new Set(codes)].filter(code => failures[code][0] === status).map(code => `\`${code}\`: ${failures[code][1]}`).join('. '),
    content: { [PROBLEM_TYPE]: { schema: { $ref: PROBLEM_REF } } }
  }]))
}

/** That of the API, not of this project: it grows with each change that its clients can see. */
const API_VERSION = '1.0.0'

/** The document but for its operations. */
export function documentFrame (parts: DocumentParts): object {
  const methods = [...new Set(Object.values(operations).map(({ method }) => method))]
  const names = [...new Set(methods.flatMap(method => namesIn(requirementFor(parts.access, method))))]
  return {
    openapi: '3.1.0',
    info: {
      title: 'fastify-media',
      version: API_VERSION,
      summary: 'Lists, looks at, uploads, deletes, moves, purges and signs the files of a fastify-media server'
    },
    tags: [{ name: 'Reading', description: 'What leaves everything as it is' }, { name: 'Changing', description: 'What does not' }],
    components: { schemas: { Problem }, securitySchemes: Object.assign({}, ...names.map(name => schemesOf(name, parts))) as object }
  }
}
