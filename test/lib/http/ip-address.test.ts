import t from 'tap'
import { isAddress, plainAddress } from '../../../lib/http/ip-address.ts'

t.test('an address is four decimal numbers, or IPv6', async t => {
  for (const text of ['192.0.2.1', '0.0.0.0', '::', '::1', '2001:db8::1', '::ffff:192.0.2.1', 'fe80::1%eth0']) t.equal(isAddress(text), true, text)
  for (const text of ['', '1', '10.1', '010.0.0.1', '0x7f.0.0.1', '2130706433', '256.0.0.1', '1.2.3.4.5', '1.2.3.4 ', ':', ':::', '1::2::3', 'g::', '[::1]', '1.2.3.4:80', 'localhost', '__proto__']) t.equal(isAddress(text), false, text)
})

t.test('an address is told in its shortest spelling, IPv4 inside IPv6 as IPv4', async t => {
  t.equal(plainAddress('2001:DB8:0:0:0:0:0:1'), '2001:db8::1')
  t.equal(plainAddress('::ffff:192.0.2.1'), '192.0.2.1')
  t.equal(plainAddress('192.0.2.1'), '192.0.2.1')
  t.equal(plainAddress(''), '')
})
