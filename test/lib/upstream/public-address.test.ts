import { isIP } from 'node:net'
import t from 'tap'
import { isPublicAddress } from '../../../lib/upstream/public-address.ts'

/* The blocks are written out here once more, and compared as numbers: the library's own reading of them is what is tested. */

const blocks4 = [
  ['0.0.0.0/8', 'this network'], ['10.0.0.0/8', 'private'], ['100.64.0.0/10', 'carrier-grade NAT'], ['127.0.0.0/8', 'loopback'], ['169.254.0.0/16', 'link-local and metadata'],
  ['172.16.0.0/12', 'private'], ['192.0.0.0/24', 'protocol assignments'], ['192.0.2.0/24', 'documentation'], ['192.31.196.0/24', 'AS112'], ['192.52.193.0/24', 'AMT'],
  ['192.88.99.0/24', '6to4 relays'], ['192.168.0.0/16', 'private'], ['192.175.48.0/24', 'AS112'], ['198.18.0.0/15', 'benchmarks'], ['198.51.100.0/24', 'documentation'],
  ['203.0.113.0/24', 'documentation'], ['224.0.0.0/4', 'multicast'], ['240.0.0.0/4', 'reserved and broadcast'], ['168.63.129.16/32', 'the platform of Azure']
] as const

const blocks6 = [
  ['::/3', 'unspecified, loopback, mapped, compatible, SIIT, discard, NAT64 and what is not assigned'], ['4000::/2', 'not assigned'], ['8000::/1', 'ULA, link-local, site-local, multicast and what is not assigned'],
  ['2001::/23', 'protocol assignments: Teredo, benchmarks, AMT, AS112, ORCHID'], ['2001:db8::/32', 'documentation'], ['2002::/16', '6to4'], ['2620:4f:8000::/48', 'AS112'], ['3fff::/20', 'documentation']
] as const

/** Blocks within those above: not public for a reason of their own. */
const within6 = [
  '::/128', '::1/128', '::/96', '::ffff:0:0/96', '::ffff:0:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48', '100::/64', '100:0:0:1::/64', '2001::/32', '2001:1::1/128', '2001:2::/48', '2001:3::/32',
  '2001:4:112::/48', '2001:10::/28', '2001:20::/28', '2001:30::/28', '5f00::/16', 'fc00::/7', 'fd00:ec2::254/128', 'fe80::/10', 'fec0::/10', 'ff00::/8', 'ff02::1/128'
]

interface Block { first: bigint, last: bigint }

function number4 (address: string): bigint {
  return address.split('.').reduce((sum, octet) => sum * 256n + BigInt(octet), 0n)
}

function number6 (address: string): bigint {
  const [left = '', right] = address.split('::')
  const groups = (text: string): string[] => text === '' ? [] : text.split(':')
  const [front, back] = [groups(left), groups(right ?? '')]
  const zeros = right === undefined ? [] : Array.from({ length: 8 - front.length - back.length }, () => '0')
  return [...front, ...zeros, ...back].reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n)
}

const text4 = (number: bigint): string => [24n, 16n, 8n, 0n].map(shift => String((number >> shift) & 255n)).join('.')
const text6 = (number: bigint): string => Array.from({ length: 8 }, (_, place) => ((number >> BigInt(112 - 16 * place)) & 65_535n).toString(16)).join(':')

function block (cidr: string): Block {
  const [address = '', bits = ''] = cidr.split('/')
  const is4 = address.includes('.')
  const free = BigInt((is4 ? 32 : 128) - Number(bits))
  const first = is4 ? number4(address) : number6(address)
  return { first, last: first + (1n << free) - 1n }
}

const special4 = blocks4.map(([cidr]) => block(cidr))
const special6 = blocks6.map(([cidr]) => block(cidr))

for (const [version, blocks, special, text, end] of [['IPv4', blocks4, special4, text4, 1n << 32n], ['IPv6', blocks6, special6, text6, 1n << 128n]] as const) {
  const isSpecial = (number: bigint): boolean => special.some(({ first, last }) => number >= first && number <= last)

  for (const [cidr, what] of blocks) {
    t.test(`${version}: ${cidr} is not public (${what}), and ends where it ends`, async t => {
      const { first, last } = block(cidr)
      for (const inside of [first, last, first + (last - first) / 2n]) t.notOk(isPublicAddress(text(inside)), text(inside))
      for (const neighbour of [first - 1n, last + 1n].filter(number => number >= 0n && number < end)) {
        t.equal(isPublicAddress(text(neighbour)), !isSpecial(neighbour), text(neighbour))
      }
    })
  }

  t.test(`${version}: addresses by chance are public where no block holds them`, async t => {
    let seed = 4n
    const random = (): bigint => (seed = (seed * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n) % (1n << 64n)) >> 32n
    const wrong: string[] = []
    let open = 0
    for (let round = 0; round < 5000; round++) {
      // Most of IPv6 is not public: half of the tries are in the part that may be.
      const number = version === 'IPv4' ? random() : (random() << 96n | random() << 64n | random() << 32n | random()) & (round % 2 === 0 ? end - 1n : (1n << 125n) - 1n) | (round % 2 === 0 ? 0n : 1n << 125n)
      if (isPublicAddress(text(number)) === isSpecial(number)) wrong.push(text(number))
      if (!isSpecial(number)) open++
    }
    t.strictSame(wrong, [])
    t.ok(open > 1000, `${open} of them were public`)
  })
}

t.test('IPv6 blocks within blocks are not public either', async t => {
  for (const cidr of within6) {
    const { first, last } = block(cidr)
    for (const inside of [first, last]) t.notOk(isPublicAddress(text6(inside)), `${cidr}: ${text6(inside)}`)
  }
})

t.test('an IPv6 address that carries an IPv4 address is not public, whatever it carries', async t => {
  const carriers = (a: string, hex: string): string[] => [
    `::ffff:${a}`, `::ffff:${hex}`, `::${a}`, `::ffff:0:${a}`, `64:ff9b::${a}`, `64:ff9b:1::${a}`, `2002:${hex}::1`, `2001:0:${hex}::`, `2001:0:4136:e378:8000:63bf:${hex}`,
    `fe80::5efe:${a}`, `2606:4700::5efe:${a}`, `2606:4700::200:5efe:${a}`, `2606:4700::100:5efe:${a}`, `2606:4700:1:2:300:5efe:${hex}`
  ]
  for (const [a, hex] of [['127.0.0.1', '7f00:1'], ['169.254.169.254', 'a9fe:a9fe'], ['10.0.0.1', 'a00:1'], ['8.8.8.8', '808:808']] as const) {
    for (const address of carriers(a, hex)) t.notOk(isPublicAddress(address), address)
  }
  for (const address of ['2606:4700::5eff:7f00:1', '2606:4700::5efe:0:7f00:1', '2606:4700:0:5efe:7f00:1::', '2606:4700::400:5efe:7f00:1']) t.ok(isPublicAddress(address), address)
})

t.test('addresses that are public', async t => {
  for (const address of ['1.1.1.1', '8.8.8.8', '93.184.216.34', '172.15.255.255', '172.32.0.1', '192.0.1.1', '198.17.255.255', '168.63.129.15', '168.63.129.17', '223.255.255.255', '2606:4700:4700::1111', '2001:4860:4860::8888', '2A00:1450:4001:81B::200E', '2000::']) {
    t.ok(isPublicAddress(address), address)
  }
})

t.test('metadata services are not public', async t => {
  for (const address of ['169.254.169.254', '169.254.170.2', '169.254.0.23', '100.100.100.200', '168.63.129.16', '192.0.0.192', 'fd00:ec2::254', 'fd20:ce::254', 'fe80::a9fe:a9fe', '::ffff:169.254.169.254']) {
    t.notOk(isPublicAddress(address), address)
  }
})

t.test('what is no address in its plain spelling is not public', async t => {
  const texts = [
    '', ' ', '8.8.8.8 ', ' 8.8.8.8', '8.8.8', '8.8', '8', '134744072', '0x8.8.8.8', '0x08080808', '010.8.8.8', '08.8.8.8', '8.8.8.8.', '8.8.8.8.8', '8.8.8.256', '8.8.8.-1', '8.8.8.8/32', '8.8.8.8:80', '8,8,8,8',
    '８.8.8.8', '8。8。8。8', '8.8.8.8\0', '8.8.8.8\n', 'example.com', 'localhost', '[2606:4700::1]', '2606:4700::1%eth0', '2606:4700::1%1', 'fe80::1%lo', '2606:4700::1/128', '2606:4700:::1', '2606:4700::1::', ':', '::', ':::',
    '2606:4700:0:0:0:0:0:1:2', '2606:4700:0:0:0:0:1', '2606:47000::1', 'g606::1', '2606:4700::1 ', '2606:4700::256.1.1.1', '2606:4700::1.1.1', 'undefined', 'null', '__proto__'
  ]
  for (const text of texts) t.notOk(isPublicAddress(text), JSON.stringify(text))
})

t.test('no text makes it throw', async t => {
  let seed = 11
  const random = (below: number): number => (seed = seed * 48_271 % 2_147_483_647) % below
  const characters = '0123456789abcdefx:.%[]/ -\0'
  const group = (): string => random(65_536).toString(16).padStart(random(2) * 4, '0')
  const dotted = (): string => Array.from({ length: 4 }, () => random(256)).join('.')
  // Half of them are addresses, or nearly: what Node.js takes for one the library has to read.
  const nearly = (): string => {
    const groups = [...Array.from({ length: random(9) }, group), ...random(3) === 0 ? [dotted()] : []]
    const place = random(groups.length + 1)
    return random(3) === 0 ? groups.join(':') : `${groups.slice(0, place).join(':')}::${groups.slice(place).join(':')}`
  }
  let addresses = 0
  for (let round = 0; round < 40_000; round++) {
    const text = round % 2 === 0 ? nearly() : Array.from({ length: random(20) }, () => characters[random(characters.length)]).join('')
    if (typeof isPublicAddress(text) !== 'boolean') t.fail(text)
    if (isIP(text) !== 0) addresses++
  }
  t.ok(addresses > 5000, `${addresses} of them were addresses`)
})
