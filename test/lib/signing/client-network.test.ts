import t from 'tap'
import ipaddr from 'ipaddr.js'
import { networkOf } from '../../../lib/signing/client-network.ts'
import { seeded } from '../../helpers/random-transforms.ts'

t.test('of IPv4 it is the address, of IPv6 the network of 64 bits in its one spelling', async t => {
  for (const [address, network] of [
    ['192.0.2.7', '192.0.2.7'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['2001:db8:0:1::7', '2001:db8:0:1::/64'],
    ['2001:DB8:0:1:ffff:ffff:ffff:ffff', '2001:db8:0:1::/64'],
    ['2001:0db8:0000:0001:0000:0000:0000:0007', '2001:db8:0:1::/64'],
    ['2001:db8::1:2:3', '2001:db8:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['1:2:3:4:5:6:7::', '1:2:3:4::/64'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64']
  ] as const) t.equal(networkOf(address), network, address)
})

t.test('IPv4 inside IPv6 is IPv4: the same client on a socket that listens for both', async t => {
  t.equal(networkOf('::ffff:192.0.2.7'), '192.0.2.7')
  t.equal(networkOf('::FFFF:c000:207'), '192.0.2.7')
  t.equal(networkOf('::ffff:0:0'), '0.0.0.0')
  t.equal(networkOf('::192.0.2.7'), '0:0:0:0::/64', 'not the compatible form, which nobody uses')
})

t.test('what is no address, or one that readers read differently, has no network', async t => {
  for (const text of ['', 'localhost', '10.1', '010.0.0.1', '256.0.0.1', '1.2.3.4.5', '1.2.3', '1.2.3.4.', '0x7f.0.0.1', ':', ':::', '1:2', '1::2::3', '12345::', '1:2:3:4:5:6:7:8:9', '::1]', '[::1]', '::1]:80/[', '::1/64', '192.0.2.7%eth0', `::${'0'.repeat(10_000)}`, '1.2.3.4\n', '::1\n']) t.equal(networkOf(text), undefined, JSON.stringify(text))
})

t.test('any two spellings of an address are of one network, as another reader sees it', async t => {
  const random = seeded(50)
  for (let i = 0; i < 2000; i++) {
    const groups = Array.from({ length: 8 }, () => random() < 0.5 ? 0 : Math.floor(random() * 0x10000))
    const parsed = new ipaddr.IPv6(groups)
    const expected = parsed.isIPv4MappedAddress() ? parsed.toIPv4Address().toString() : `${groups.slice(0, 4).map(group => group.toString(16)).join(':')}::/64`
    for (const spelled of [parsed.toString(), parsed.toNormalizedString(), groups.map(group => group.toString(16).padStart(4, '0').toUpperCase()).join(':')]) if (networkOf(spelled) !== expected) t.fail(`${spelled}: ${networkOf(spelled)}`)
  }
  t.pass()
})
