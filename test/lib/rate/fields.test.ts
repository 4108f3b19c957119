import t from 'tap'
import { limitMember, policyMember } from '../../../lib/rate/fields.ts'

t.test('fields are members of structured lists, in whole seconds', t => {
  t.equal(policyMember('addresses', { max: 600, windowMs: 60_000 }), '"addresses";q=600;w=60')
  t.equal(policyMember('principals', { max: 1, windowMs: 100 }), '"principals";q=1;w=1', 'a window is never 0 seconds long')
  t.equal(limitMember('addresses', 599, 42), '"addresses";r=599;t=42')
  t.end()
})
