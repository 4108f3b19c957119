import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import t from 'tap'
import { operations } from '../../../lib/api/operations.ts'
import { apiFiles, apiOptions, as, json, picture, serveApi, strategies, url } from '../../helpers/api.ts'
import { ask, raw, serveMedia, type Answer, type Served, type Test } from '../../helpers/app.ts'
import { freePort } from '../../helpers/process.ts'

t.setTimeout(120_000)

/*
 * Every operation of the document is asked for, once with success and once for each failure that the document tells
 * of. What the document gains has to gain a case here.
 */

interface Told { content?: Record<string, unknown>, headers?: Record<string, unknown>, description: string }
interface Operation { operationId: string, summary?: string, description?: string, parameters?: Array<{ name: string, in: string, schema: object }>, requestBody?: unknown, security?: object[], responses: Record<string, Told> }
interface OpenApi { openapi: string, servers: Array<{ url: string }>, paths: Record<string, Record<string, Operation>>, components: { schemas: Record<string, object>, securitySchemes: Record<string, object> } }

/** One request of an operation. */
interface Case { query?: Record<string, string | number>, headers?: Record<string, string>, body?: string | Buffer | object, by?: Parameters<typeof as>[0], send?: (served: Served) => Promise<Answer> }

const chunk = Buffer.alloc(200_000, 'x')
const note = { path: '/photos/note.txt' }
const none = { path: '/photos/none.txt' }
const wrongPath = { path: '/photos/../vault/secret.txt' }
const tag = async (served: Served, path: string): Promise<string> => json(await ask(served, url('stat', { path }), as('owner'))).entityTag as string
const etagOf = async (served: Served, path: string): Promise<string> => String((await ask(served, path, as('editor'))).headers.etag)

/** What brings an operation to a status. `success` is what the general failures are made of. */
const cases: Record<string, { success: Case, by: Record<string, Case | ((served: Served) => Promise<Case>)> }> = {
  listMounts: { success: {}, by: { 200: {}, 304: async served => ({ headers: { 'if-none-match': await etagOf(served, url('mounts')) } }) } },
  listDirectory: {
    success: { query: { path: '/photos/' } },
    by: {
      200: { query: { path: '/photos/2026', limit: 2 } },
      304: async served => ({ query: { path: '/photos/' }, headers: { 'if-none-match': await etagOf(served, url('list', { path: '/photos/' })) } }),
      400: { query: { path: '/photos/', cursor: 'nothing' } },
      404: { query: { path: '/photos/none/' } }
    }
  },
  stat: {
    success: { query: note },
    by: { 200: { query: note }, 304: async served => ({ query: note, headers: { 'if-none-match': `"other", ${await etagOf(served, url('stat', note))}` } }), 400: { query: wrongPath }, 404: { query: none } }
  },
  describePicture: {
    success: { query: { path: '/photos/cat.png' } },
    by: {
      200: { query: { path: '/photos/cat.png' } },
      304: async served => ({ query: { path: '/photos/cat.png' }, headers: { 'if-none-match': await etagOf(served, url('info', { path: '/photos/cat.png' })) } }),
      400: { query: wrongPath },
      404: { query: { path: '/photos/none.png' } },
      415: { query: note },
      422: { query: { path: '/photos/broken.png' } }
    }
  },
  uploadFile: {
    success: { query: { path: '/photos/up.txt' }, body: 'up' },
    by: {
      201: { query: { path: '/photos/new/file.txt' }, body: 'new' },
      204: { query: note, body: 'another note' },
      400: { query: { path: '/photos/con.txt' }, body: 'a device' },
      404: { query: { path: '/nowhere/a.txt' }, body: 'nowhere' },
      408: { send: async served => answered(await raw(served, `PUT ${url('file', { path: '/photos/slow.txt' })} HTTP/1.1\r\nHost: x\r\nX-API-Key: ${as('editor').headers['x-api-key']}\r\nContent-Length: 10\r\nConnection: close\r\n\r\nslow`, 10_000)) },
      409: { query: { path: '/photos/2026' }, body: 'there is a directory' },
      412: { query: note, headers: { 'if-none-match': '*' }, body: 'only if nothing is there' },
      413: { query: { path: '/photos/large.txt' }, body: chunk },
      415: { query: { path: '/photos/page.html' }, body: '<script>alert(1)</script>' },
      422: async () => ({ query: { path: '/photos/half.png' }, body: (await picture('red')).subarray(0, 60) }),
      507: { query: { path: '/tiny/a.txt' }, body: 'more than ten bytes', by: 'owner' }
    }
  },
  deleteFile: {
    success: { query: { path: '/photos/2026/c.txt' } },
    by: {
      204: { query: { path: '/photos/2026/c.txt' } },
      400: { query: wrongPath },
      404: { query: none },
      409: { query: { path: '/photos/2026' } },
      412: { query: note, headers: { 'if-match': '"another"' } }
    }
  },
  moveFile: {
    success: { body: { from: '/photos/2026/a.txt', to: '/photos/a.txt' } },
    by: {
      200: { body: { from: '/photos/2026/b.txt', to: '/photos/note.txt', overwrite: true } },
      201: async served => ({ body: { from: '/photos/2026/a.txt', to: '/photos/moved/a.txt' }, headers: { 'if-match': await tag(served, '/photos/2026/a.txt') } }),
      400: { body: { from: '/photos/note.txt', to: '/vault/note.txt' }, by: 'owner' },
      404: { body: { from: '/photos/none.txt', to: '/photos/some.txt' } },
      409: { body: { from: '/photos/note.txt', to: '/photos/2026/b.txt' } },
      412: { body: { from: '/photos/note.txt', to: '/photos/other.txt' }, headers: { 'if-match': '"another"' } },
      413: { body: { from: '/photos/note.txt', to: `/photos/${'x'.repeat(70_000)}` } },
      415: { body: 'from=/photos/note.txt', headers: { 'content-type': 'application/x-www-form-urlencoded' } }
    }
  },
  purge: {
    success: { body: { what: '/photos/' } },
    by: {
      200: { body: { what: 'https://example.com/photos/cat.png?w=10' } },
      400: { body: { what: '/photos/%zz' } },
      404: { body: { what: '/nowhere/cat.png' } },
      413: { body: { what: `/photos/${'x'.repeat(70_000)}` } },
      415: { body: '/photos/', headers: { 'content-type': 'text/plain' } }
    }
  },
  signUrl: {
    success: { body: { path: '/photos/cat.png?w=10' } },
    by: {
      200: { body: { path: '/photos/cat.png?w=10', expiresIn: 60, address: '192.0.2.7', strategy: 'links', notBefore: '2020-01-01T00:00:00Z' } },
      400: { body: { path: '/photos/cat.png', expires: '2020-01-01T00:00:00Z' } },
      404: { body: { path: '/nowhere/cat.png' } },
      413: { body: { path: `/photos/${'x'.repeat(70_000)}` } },
      415: { body: '<path>/photos</path>', headers: { 'content-type': 'text/xml' } }
    }
  }
}

type Asserting = Pick<typeof t, 'ok' | 'equal'>

/** Failures that no request brings about by itself. */
const isOfOurs = (operation: string, status: string): boolean => status === '500' || (status === '507' && operation === 'moveFile')

function answered (text: string): Answer {
  const [head = '', body = ''] = text.split('\r\n\r\n')
  const headers = Object.fromEntries(head.split('\r\n').slice(1).map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]))
  return { status: Number(head.split(' ')[1]), headers, body: Buffer.from(body), text: body }
}

async function perform (served: Served, [path, method]: [string, string], { query = {}, headers = {}, body, by = 'editor', send }: Case, anonymous = false): Promise<Answer> {
  if (send !== undefined) return await send(served)
  const isJson = typeof body === 'object' && !Buffer.isBuffer(body)
  const all = { ...anonymous ? {} : as(by).headers, ...isJson ? { 'content-type': 'application/json' } : {}, ...headers }
  return await ask(served, url(path.slice(1), query), { method: method.toUpperCase(), headers: all, ...body === undefined ? {} : { body: isJson ? JSON.stringify(body) : body } })
}

const documentOf = async (served: Served): Promise<OpenApi> => json(await ask(served, '/api/v1/openapi.json', as('editor'))) as unknown as OpenApi

/** A server of its own for each kind of failure that concerns all operations. */
async function servers (t: Test): Promise<Record<'usual' | 'limited' | 'undecided', Served>> {
  const files = await apiFiles(t)
  const policy = { driver: 'forward', url: `http://127.0.0.1:${await freePort()}/decide`, headers: ['Cookie'] }
  const mount = { prefix: '/photos', source: 'photos', permission: 'read-write', access: { read: ['policy'], write: ['policy'] } }
  return {
    usual: await serveApi(t),
    limited: await serveApi(t, { api: { access: { read: ['machines'], write: ['machines'] }, rateLimit: { principals: { max: 1, windowMs: 600_000 } } } }),
    undecided: await serveMedia(t, { ...apiOptions({ ...files }), strategies: { ...strategies, policy }, mounts: [mount, ...apiOptions(files).mounts?.slice(1) ?? []] } as never)
  }
}

t.test('the document is one of OpenAPI 3.1, and tells of each operation by its name, its schemes and its failures', async t => {
  const served = await serveApi(t)
  const document = await documentOf(served)
  const validator = new Validator()
  t.match(await validator.validate(structuredClone(document) as never), { valid: true })
  t.equal(validator.version, '3.1')
  t.equal(document.openapi, '3.1.0')
  const told = Object.values(document.paths).flatMap(methods => Object.values(methods))
  t.strictSame(told.map(({ operationId }) => operationId).toSorted(), Object.keys(operations).toSorted())
  for (const { operationId, summary, description, security = [], responses } of told) {
    t.ok((summary ?? '').length > 3 && (description ?? '').length > 10, operationId)
    t.ok(security.length > 0, operationId)
    for (const scheme of security.flatMap(way => Object.keys(way))) t.ok(scheme in document.components.securitySchemes, scheme)
    for (const status of ['401', '403', '500', '503']) t.ok(status in responses, `${operationId} ${status}`)
  }
  t.strictSame(Object.keys(document.components.schemas), ['Problem'])
  t.strictSame(document.servers, [{ url: '/api/v1' }])
  t.notMatch(JSON.stringify(document), /"\$id"|def-\d/)
})

t.test('every operation answers as the document tells, with success and with every failure', async t => {
  const { usual, limited, undecided } = await servers(t)
  const document = await documentOf(limited)
  const ajv = new Ajv2020({ strict: false, validateFormats: false })
  ajv.addSchema(document, 'openapi', undefined, false)
  const asked = new Set<string>()

  const check = (t: Asserting, name: string, pointer: string, told: Told | undefined, answer: Answer): void => {
    const [type = ''] = (answer.headers['content-type'] ?? '').split(';')
    if (told?.content === undefined) {
      t.equal(answer.text, '', `${name} has no body`)
      return
    }
    t.ok(type in told.content, `${name} is ${type}`)
    const validate = ajv.compile({ $ref: `openapi#${pointer}/content/${type.replace('/', '~1')}/schema` })
    t.ok(validate(JSON.parse(answer.text)), `${name}: ${ajv.errorsText(validate.errors)}`)
    if (answer.status >= 400) t.equal((JSON.parse(answer.text) as { status: number }).status, answer.status)
  }

  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, { operationId, responses, requestBody, parameters = [] }] of Object.entries(methods)) {
      const own = cases[operationId]
      if (own === undefined) {
        t.fail(`${operationId} has no case`)
        continue
      }
      await t.test(operationId, async t => {
        const hasInput = requestBody !== undefined || parameters.some(parameter => parameter.in === 'query')
        const general: Record<string, (served: Served) => Promise<Answer>> = {
          401: async served => await perform(served, [path, method], own.success, true),
          403: async served => await perform(served, [path, method], { ...own.success, by: 'stranger' }),
          412: async served => await perform(served, [path, method], { ...own.success, headers: { 'if-match': '"another"' } }),
          429: async () => await perform(limited, [path, method], own.success),
          503: async () => await perform(undecided, [path, method], own.success)
        }
        // Failures first: they leave everything as it is.
        for (const status of Object.keys(responses).toSorted((one, other) => Number(other) - Number(one))) {
          const name = `${operationId} ${status}`
          if (isOfOurs(operationId, status)) continue
          const made = own.by[status]
          const specific = typeof made === 'function' ? await made(usual) : made
          if (specific === undefined && general[status] === undefined) {
            t.fail(`${name} has no case`)
            continue
          }
          const answer = specific === undefined ? await (general[status] as (served: Served) => Promise<Answer>)(usual) : await perform(usual, [path, method], specific)
          t.equal(answer.status, Number(status), `${name} ${answer.text}`)
          check(t, name, `/paths/${path.replaceAll('/', '~1')}/${method}/responses/${status}`, responses[status], answer)
          for (const field of Object.keys(responses[status]?.headers ?? {})) if (field !== 'ETag' || !['201', '204'].includes(status)) t.ok(field.toLowerCase() in answer.headers, `${name} has ${field}`)
          asked.add(name)
        }
        for (const status of Object.keys(own.by)) t.ok(status in responses, `${operationId} ${status} is in the document`)
        if (!hasInput) return
        const unknown = requestBody !== undefined && own.success.query === undefined ? { ...own.success, body: { ...own.success.body as object, more: 1 } } : { ...own.success, query: { ...own.success.query, more: 1 } }
        const refused = await perform(usual, [path, method], unknown)
        t.match(json(refused), { status: 400, code: 'bad-request', detail: /^more: Unknown key/ }, `${operationId} refuses what it does not know`)
        check(t, operationId, `/paths/${path.replaceAll('/', '~1')}/${method}/responses/400`, responses['400'], refused)
      })
    }
  }
  for (const id of Object.keys(operations)) t.ok([...asked].some(name => name.startsWith(`${id} 2`)), `${id} succeeded`)
})

