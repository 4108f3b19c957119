import t from 'tap'
import { exampleSecrets, isExampleSecret, secretMistake } from '../../../lib/access/secrets.ts'
import { sharedSecret } from '../../helpers/tokens.ts'

t.test('a random secret is a good one', t => {
  t.equal(secretMistake(sharedSecret), undefined)
  t.notOk(isExampleSecret(sharedSecret))
  t.end()
})

t.test('secrets of documentations are known to everybody, however they are spelt', t => {
  for (const secret of exampleSecrets) t.match(secretMistake(secret), /example/, secret)
  t.match(secretMistake('  Change-Me-Change-Me-Change-Me-Change-Me\n'), /example/)
  t.ok(exampleSecrets.includes('a-string-secret-at-least-256-bits-long'), 'that of jwt.io')
  t.end()
})

t.test('a secret has 32 bytes, which are not those of its characters', t => {
  t.equal(secretMistake('abcdefghijklmnopqrstuvwxyz01234'), 'has 31 bytes, fewer than 32')
  t.equal(secretMistake('abcdefghijklmnopqrstuvwxyz012345'), undefined)
  t.equal(secretMistake('äbcdefghijklmnopqrstuvwxyz01234'), undefined, '31 characters, of which one has two bytes')
  t.equal(secretMistake(''), 'has 0 bytes, fewer than 32')
  t.end()
})

t.test('a pattern is none, however long', t => {
  t.equal(secretMistake('abcdefg'.repeat(100)), 'has 7 different bytes, fewer than 8')
  t.equal(secretMistake('abcdefgh'.repeat(100)), undefined)
  t.notMatch(secretMistake('0123'.repeat(10)), /0123/, 'and nothing of it is told')
  t.end()
})
