import t from 'tap'
import { addressKey } from '../../../lib/rate/address-key.ts'

t.test('an IPv4 address is itself, also inside IPv6', t => {
  t.equal(addressKey('203.0.113.7'), '203.0.113.7')
  for (const mapped of ['::ffff:203.0.113.7', '::FFFF:203.0.113.7', '::ffff:cb00:7107', '0:0:0:0:0:ffff:cb00:7107']) t.equal(addressKey(mapped), '203.0.113.7', mapped)
  t.end()
})

t.test('the addresses of one IPv6 network of 64 bits are one, however they are spelled', t => {
  for (const address of ['2001:db8:1:2::', '2001:db8:1:2::1', '2001:DB8:1:2:ffff:ffff:ffff:ffff', '2001:0db8:0001:0002:0:0:0:9', '2001:db8:1:2::192.0.2.1']) t.equal(addressKey(address), '2001:db8:1:2::/64', address)
  for (const address of ['2001:db8:1:3::1', '2001:db8:1:1:ffff:ffff:ffff:ffff', '2001:db8:1::2']) t.not(addressKey(address), '2001:db8:1:2::/64', address)
  t.equal(addressKey('::1'), '::/64')
  t.equal(addressKey('fe80::1%eth0'), 'fe80::/64', 'a zone is not part of the network')
  t.end()
})

t.test('a connection that is gone has a key, and text that is no address is itself', t => {
  t.equal(addressKey(''), 'gone')
  for (const text of ['unknown', '_hidden', '010.0.0.1', '10.1', '1.2.3.4:80']) t.equal(addressKey(text), text)
  t.end()
})
