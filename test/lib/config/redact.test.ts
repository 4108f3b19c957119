import t from 'tap'
import { redact } from '../../../lib/config/redact.ts'

t.test('texts that hold a secret are not shown, at any depth', t => {
  const secrets = new Set(['hunter2'])
  t.strictSame(redact({ a: ['hunter2', 'Bearer hunter2', 'plain', 5, null, true], b: { c: 'hunter2' } }, secrets), {
    a: ['[redacted]', '[redacted]', 'plain', 5, null, true],
    b: { c: '[redacted]' }
  })
  t.end()
})

t.test('credentials in URLs are not shown', t => {
  t.equal(redact('https://user:pass@example.com/a@b', new Set()), 'https://[redacted]@example.com/a@b')
  t.equal(redact('redis://:secret@10.0.0.1, redis://:other@10.0.0.2', new Set()), 'redis://[redacted]@10.0.0.1, redis://[redacted]@10.0.0.2')
  t.equal(redact('https://example.com/@scope', new Set()), 'https://example.com/@scope')
  t.end()
})
