import { createHash } from 'node:crypto'
import t from 'tap'
import { hashCheck, promisedHash } from '../../../lib/upstream/promised-hash.ts'

function sri (algorithm: string, text: string): string {
  return `${algorithm}-${createHash(algorithm).update(text).digest('base64')}`
}

t.test('the strongest algorithm counts, and any of its hashes will do', async t => {
  const rows: Array<[string, string, string[]]> = [
    [sri('sha256', 'a'), 'sha256', [sri('sha256', 'a')]],
    [`  ${sri('sha384', 'a')}\n${sri('sha256', 'b')} `, 'sha384', [sri('sha384', 'a')]],
    [`${sri('sha256', 'b')} ${sri('sha512', 'a')} ${sri('sha384', 'b')} ${sri('sha512', 'c')}`, 'sha512', [sri('sha512', 'a'), sri('sha512', 'c')]]
  ]
  for (const [text, algorithm, hashes] of rows) {
    const promise = promisedHash(text)
    t.same([promise.algorithm, promise.hashes.map(hash => `${algorithm}-${hash}`)], [algorithm, hashes])
    const check = hashCheck(promise)
    check.update(Buffer.from('a'))
    t.same(check.finish(), { isKept: true, hash: sri(algorithm, 'a') })
    const other = hashCheck(promise)
    other.update(Buffer.from('b'))
    t.same(other.finish(), { isKept: false, hash: sri(algorithm, 'b') }, 'a weaker promise that is kept does not help')
  }
})

t.test('a hash without the sign at its end is the same', async t => {
  t.same(promisedHash(sri('sha256', 'a').replace('=', '')), promisedHash(sri('sha256', 'a')))
})

t.test('what is no hash is named', async t => {
  for (const text of ['', ' ', 'sha256', 'sha256-', 'md5-47DEQpj8HBSa+/TImW+5JA==', 'SHA256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=', 'constructor-47DE', `${sri('sha256', 'a')}?x`, `${sri('sha256', 'a')},`, 'sha256-47DEQpj8HBSa_-TImW']) t.throws(() => promisedHash(text), { name: 'TypeError', message: /^Expected hashes such as sha256-\S+ but received "/ }, text)
  for (const [text, message] of [['sha256-AAAA', /^Expected a hash of 32 bytes for sha256 but received one of 3: "sha256-AAAA"$/], [sri('sha256', 'a').replace('256', '512'), /64 bytes for sha512 but received one of 32/], [`sha384-${'A'.repeat(1000)}`, /^.{0,160}$/]] as const) t.throws(() => promisedHash(text), { name: 'TypeError', message }, text.slice(0, 40))
  t.throws(() => promisedHash(`${sri('sha512', 'a')} sha256-AAAA`), { name: 'TypeError' }, 'also beside one that would do')
})
