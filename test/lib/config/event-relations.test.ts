import { join } from 'node:path'
import t from 'tap'
import { exampleSecrets } from '../../../lib/access/secrets.ts'
import { eventMistakes } from '../../../lib/config/event-relations.ts'
import { scratch } from '../../helpers/app.ts'
import { sharedSecret } from '../../helpers/tokens.ts'

const url = 'https://example.com/hooks'
const mounts = [{ prefix: '/photos/', permission: 'read-write' }, { prefix: '/films', permission: 'read' }]

async function told (webhook: unknown, base = '/'): Promise<string[]> {
  return (await eventMistakes({ mounts, events: { webhooks: { search: webhook } } }, { base, shown: String })).map(({ path, message }) => `${path}: ${message}`)
}

t.test('a webhook that signs, of mounts that are written to, is right', async t => {
  const base = await scratch(t, { 'webhook.key': `${sharedSecret}\n` })
  t.same(await told({ url, secret: sharedSecret, mounts: ['/photos'] }), [])
  t.same(await told({ url, secretFile: 'webhook.key', mounts: ['/photos/'] }, base), [])
  t.same(await told({ url: 'http://192.0.2.1:8080/', secret: sharedSecret }), [], 'without TLS too: the log says so')
})

t.test('messages are signed, by one secret or file, which nobody can guess', async t => {
  const base = await scratch(t, { 'short.key': 'short\n', 'empty.key': '\n' })
  const cases: Array<[webhook: object, message: RegExp]> = [
    [{ url }, /^events\.webhooks\.search: Expected a secret or a secretFile: messages are signed$/],
    [{ url, secret: sharedSecret, secretFile: 'short.key' }, /^events\.webhooks\.search: Expected either a secret or a secretFile but received both$/],
    [{ url, secret: 'short' }, /^events\.webhooks\.search\.secret: Expected a secret that cannot be guessed, but it has 5 bytes, fewer than 32$/],
    [{ url, secret: exampleSecrets[0] }, /\.secret: .* example of a documentation/],
    [{ url, secretFile: 'short.key' }, /^events\.webhooks\.search\.secretFile: .* has 5 bytes/],
    [{ url, secretFile: 'empty.key' }, /^events\.webhooks\.search\.secretFile: .* is empty$/],
    [{ url, secretFile: 'gone.key' }, /^events\.webhooks\.search\.secretFile: Expected a file that can be read but .*gone\.key" does not exist$/],
    [{ url, secretFile: '.' }, /\.secretFile: Expected a file that can be read/]
  ]
  for (const [webhook, message] of cases) {
    const mistakes = await told(webhook, base)
    t.equal(mistakes.length, 1)
    t.match(mistakes[0], message)
  }
})

t.test('URLs, authorities and mounts are what they should be', async t => {
  const base = await scratch(t, { 'ca.pem': 'no certificate' })
  t.match(await told({ url: 'https://[::1', secret: sharedSecret }), [/^events\.webhooks\.search\.url: Expected a URL such as .* but received https:\/\/\[::1$/])
  t.match(await told({ url, secret: sharedSecret, ca: 'ca.pem' }, base), [/^events\.webhooks\.search\.ca: Expected a PEM file with a certificate/])
  t.match(await told({ url, secret: sharedSecret, ca: join(base, 'gone') }), [/^events\.webhooks\.search\.ca: Expected a file that can be read/])
  t.match(await told({ url, secret: sharedSecret, mounts: ['/photo', '/films', '/'] }), [
    /^events\.webhooks\.search\.mounts\[0\]: Expected the prefix of a mount but received \/photo\. Did you mean \/photos\?$/,
    /^events\.webhooks\.search\.mounts\[1\]: Expected a mount that is read-write, but nothing is ever written to \/films$/,
    /^events\.webhooks\.search\.mounts\[2\]: Expected the prefix of a mount but received \/$/
  ])
})

t.test('what the schema tells is not told twice', async t => {
  for (const webhook of [null, 'x', [], { url: 3, secret: 3, mounts: [3] }, { url, secretFile: 3 }, { url, secretFile: '' }]) {
    const mistakes = await told(webhook)
    t.ok(mistakes.every(text => text.endsWith('messages are signed')), JSON.stringify(webhook))
  }
  t.same(await eventMistakes({ mounts: [{ prefix: 3 }, null], events: 3 }, { base: '/', shown: String }), [])
  t.same(await eventMistakes({}, { base: '/', shown: String }), [])
})
