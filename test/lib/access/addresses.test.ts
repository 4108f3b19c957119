import t from 'tap'
import { addressMistakes, AddressStrategy } from '../../../lib/access/addresses.ts'
import { asked } from './judging.ts'

function judge (allow: string[], deny: string[], address: string) {
  return new AddressStrategy({ name: 'office', config: { driver: 'ip', allow, deny } }).judge(asked([], { address }))
}

const granted = { kind: 'granted', principal: { strategy: 'office', name: '' } }

t.test('who asks from an allowed address is let in, as nobody in particular', async t => {
  t.same(judge(['10.0.0.0/8'], [], '10.1.2.3'), granted)
  t.same(judge(['10.0.0.0/8'], [], '11.1.2.3'), { kind: 'denied', reason: 'address not allowed' })
  t.same(judge(['2001:db8::/32'], [], '2001:db8::1'), granted)
  t.equal(judge(['2001:db8::/32'], [], '2001:db9::1').kind, 'denied')
})

t.test('deny stands before allow, whichever is the narrower', async t => {
  t.same(judge(['10.0.0.0/8'], ['10.1.0.0/16'], '10.1.2.3'), { kind: 'denied', reason: 'address denied' })
  t.equal(judge(['10.1.2.3'], ['10.0.0.0/8'], '10.1.2.3').kind, 'denied')
  t.same(judge(['10.0.0.0/8'], ['10.1.0.0/16'], '10.2.0.1'), granted)
})

t.test('without any that is allowed, all are that are not denied', async t => {
  t.same(judge([], ['10.0.0.0/8'], '192.0.2.1'), granted)
  t.same(judge([], ['10.0.0.0/8'], '2001:db8::1'), granted)
  t.equal(judge([], ['10.0.0.0/8'], '10.0.0.1').kind, 'denied')
})

t.test('IPv4 inside IPv6 is IPv4, in every spelling', async t => {
  for (const address of ['::ffff:10.1.2.3', '::ffff:a01:203', '0:0:0:0:0:ffff:10.1.2.3', '::FFFF:10.1.2.3']) {
    t.equal(judge([], ['10.0.0.0/8'], address).kind, 'denied', address)
    t.equal(judge(['10.0.0.0/8'], [], address).kind, 'granted', address)
    t.equal(judge([], ['::ffff:10.0.0.0/104'], address).kind, 'denied', address)
  }
  t.equal(judge([], ['fe80::/10'], 'fe80::1%eth0').kind, 'denied', 'with a zone too')
})

t.test('what is no address is denied, even where all but a few are allowed', async t => {
  for (const address of ['', 'unknown', '10.1', '0x0a.0.0.1', '010.0.0.1', '10.0.0.1, 10.0.0.2', '10.0.0.1:80', '/run/media.sock', 'localhost']) {
    t.same(judge([], ['192.0.2.0/24'], address), { kind: 'denied', reason: 'no address' }, address)
    t.equal(judge(['0.0.0.0/0', '::/0'], [], address).kind, 'denied', address)
  }
})

t.test('an answer that is remembered is the same', async t => {
  const strategy = new AddressStrategy({ name: 'office', config: { driver: 'ip', allow: ['10.0.0.0/8'], deny: [] } })
  for (const round of [1, 2, 3]) {
    t.same(strategy.judge(asked([], { address: '10.0.0.1' })), granted, `round ${round}`)
    t.equal(strategy.judge(asked([], { address: '192.0.2.1' })).kind, 'denied')
  }
})

t.test('fields do not matter, and no credentials could be sent', async t => {
  const strategy = new AddressStrategy({ name: 'office', config: { driver: 'ip', allow: ['10.0.0.0/8'], deny: [] } })
  t.equal(strategy.judge(asked([['X-Forwarded-For', '10.0.0.1'], ['Forwarded', 'for=10.0.0.1'], ['X-Real-IP', '10.0.0.1']], { address: '192.0.2.1' })).kind, 'denied')
  t.same(strategy.fields, [])
  t.equal((strategy as { challenge?: string }).challenge, undefined)
})

t.test('ranges that are none are mistakes with their places, and so is no range at all', async t => {
  t.same(addressMistakes({ allow: ['10.0.0.0/8', '10.0.0.0/33'], deny: ['office'] }), [
    { path: 'allow[1]', message: 'Expected a CIDR range such as 10.0.0.0/8 but received 10.0.0.0/33' },
    { path: 'deny[0]', message: 'Expected a CIDR range such as 10.0.0.0/8 but received office' }
  ])
  t.match(addressMistakes({ allow: [], deny: [] }), [{ path: 'allow', message: /everybody is let in/ }])
  t.same(addressMistakes({ allow: [], deny: ['10.0.0.1'] }), [])
  t.same(addressMistakes({ allow: [5], deny: 'x' }), [])
  t.throws(() => judge(['office'], [], '10.0.0.1'), { name: 'TypeError', message: /office/ })
})
