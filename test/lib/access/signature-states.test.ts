import t from 'tap'
import type { SignedState, Strategy } from '../../../lib/access/access.ts'
import { signatureStates } from '../../../lib/access/signature-states.ts'

t.test('how it goes is told by the names of strategies that sign, and as it is now', t => {
  const state = { mode: 'enforce', granted: 0, refused: {} } as const
  const here: Strategy = { name: 'here', fields: [], judge: () => ({ kind: 'absent' }) }
  const links = { ...here, name: 'links', state: { ...state, granted: 0 } as SignedState & { granted: number } }
  const states = signatureStates(new Map<string, Strategy>([['here', here], ['links', links]]))
  links.state.granted = 1
  t.same(states?.(), { links: [{ mode: 'enforce', granted: 1, refused: {} }] })
  t.equal(signatureStates(new Map([['here', here]])), undefined, 'where none are there is nothing to tell')
  t.end()
})
