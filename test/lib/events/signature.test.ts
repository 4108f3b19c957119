import { createHmac, randomBytes } from 'node:crypto'
import t from 'tap'
import { exampleSecrets } from '../../../lib/access/secrets.ts'
import { keyOf, secretsIn, signedFields, webhookSecretMistake } from '../../../lib/events/signature.ts'
import { sharedSecret } from '../../helpers/tokens.ts'

/** In two parts: programs that look for secrets in public places would find one. */
const knownSecret = ['whsec', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'].join('_')

t.test('signatures are those of Standard Webhooks: the known answer of its libraries', t => {
  const key = keyOf(knownSecret)
  t.same(signedFields([key], { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', seconds: 1_614_265_330, body: '{"test": 2432232314}' }), {
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
  })
  t.end()
})

t.test('a body is signed as its UTF-8 bytes', t => {
  const { 'webhook-signature': signature } = signedFields([Buffer.from('key')], { id: 'a', seconds: 1, body: '"é\u202E"' })
  t.equal(signature, `v1,${createHmac('sha256', 'key').update(Buffer.from('a.1."é\u202E"')).digest('base64')}`)
  t.end()
})

t.test('several secrets, one per line, sign side by side', t => {
  t.same(secretsIn(' one \r\n\n two\n'), ['one', 'two'])
  const body = { id: 'a', seconds: 1, body: '{}' }
  const [one, two] = ['one', 'two'].map(secret => signedFields([keyOf(secret)], body)['webhook-signature'])
  t.equal(signedFields(['one', 'two'].map(keyOf), body)['webhook-signature'], `${one} ${two}`)
  t.end()
})

t.test('a secret is as it stands, or base64 behind whsec_', t => {
  const bytes = randomBytes(40)
  t.ok(keyOf(`whsec_${bytes.toString('base64')}`).equals(bytes))
  t.ok(keyOf('é').equals(Buffer.from('é')))
  t.end()
})

t.test('secrets that could be guessed are refused, and not told', t => {
  const whsec = (bytes: Buffer | string): string => `whsec_${Buffer.from(bytes as string).toString('base64')}`
  for (const good of [sharedSecret, whsec(randomBytes(32)), whsec(randomBytes(64)), `${sharedSecret}\n${whsec(randomBytes(32))}`, whsec(randomBytes(32)).replace(/=+$/, '')]) t.equal(webhookSecretMistake(good), undefined, good)
  const cases: Array<[text: string, mistake: RegExp]> = [
    ['', /^is empty$/],
    ['\n \n', /^is empty$/],
    ['short', /^has 5 bytes, fewer than 32$/],
    [`${sharedSecret}\nshort`, /^has 5 bytes/],
    [Array.from({ length: 5 }, (_, n) => `${sharedSecret}${n}`).join('\n'), /^has 5 lines, more than 4$/],
    [exampleSecrets[0] ?? '', /example/],
    [whsec(exampleSecrets[0] ?? ''), /example/],
    [knownSecret, /^has 24 bytes, fewer than 32$/],
    [whsec(Buffer.alloc(32)), /^has \d different bytes/],
    [`whsec_${'not base64! '.repeat(6)}`, /^is no base64 behind whsec_$/]
  ]
  for (const [text, mistake] of cases) t.match(webhookSecretMistake(text), mistake, text)
  t.end()
})
