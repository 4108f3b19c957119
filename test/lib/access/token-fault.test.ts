import t from 'tap'
import { tokenFault } from '../../../lib/access/token-fault.ts'

const error = (code: string, message = ''): Error => Object.assign(new Error(message), { code })

t.test('each code has words of its own', t => {
  t.equal(tokenFault(error('FAST_JWT_EXPIRED')), 'expired')
  t.equal(tokenFault(error('FAST_JWT_VERIFY_ERROR')), 'signature does not match')
  t.equal(tokenFault(error('FAST_JWT_INVALID_CLAIM_VALUE', 'The aud claim value is not allowed.')), 'wrong audience')
  t.equal(tokenFault(error('FAST_JWT_INVALID_CLAIM_VALUE', 'The iss claim value is not allowed.')), 'wrong issuer')
  t.end()
})

t.test('nothing that a message quotes is told', t => {
  for (const strange of [error('FAST_JWT_NEW', 'secret'), new RangeError('Invalid time value secret'), error('constructor', 'secret'), 'secret']) t.equal(tokenFault(strange), 'does not hold')
  t.end()
})
