import { Readable } from 'node:stream'
import t from 'tap'
import { requester, TICKET, type Ticket } from '../../../../lib/upstream/gateway/requester.ts'

async function told (ticket: Partial<Ticket>): Promise<{ error: Error | null, statusCode: number, headers: object, body: Readable }> {
  return await new Promise(resolve => requester.request({ headers: { [TICKET]: { answer: undefined, send: async () => {}, broke: () => {}, ...ticket } } }, (error, answer) => resolve({ error, ...answer })))
}

t.test('an answer is handed on', async t => {
  const headers = { a: 'b' }
  const body = Readable.from(['x'])
  const { error, ...rest } = await told({ answer: { status: 201, headers, body, trailers: () => undefined } })
  t.equal(error, null)
  t.match(rest, { statusCode: 201, headers })
  t.equal(rest.body, body)
  t.not(rest.headers, headers, 'its fields may be changed')
  t.ok((await told({ answer: { status: 200, headers, body: Buffer.from('x'), trailers: () => undefined } })).body instanceof Readable)
})

t.test('a failure is an answer without fields', async t => {
  t.match(await told({}), { error: null, statusCode: 502, headers: {} })
})

t.test('what goes wrong afterwards is told to the ticket', async t => {
  const broken = await new Promise(resolve => {
    requester.request({ headers: { [TICKET]: { answer: undefined, send: async () => {}, broke: resolve } } }, () => { throw new Error('mine') })
  })
  t.match(broken, { message: 'mine' })
})
