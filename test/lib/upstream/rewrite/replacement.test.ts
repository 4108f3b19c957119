import t from 'tap'
import { byteSet } from '../../../../lib/upstream/rewrite/automaton.ts'
import { replacementsOf, type Replacements, type Rule } from '../../../../lib/upstream/rewrite/replacement.ts'
import { cpuMs } from '../../../helpers/process.ts'

/** What comes of a body that arrives in these chunks. */
function replaced (replacements: Replacements, chunks: readonly Buffer[]): Buffer {
  const pieces = replacements.start()
  return Buffer.concat([...chunks.flatMap(chunk => Array.from(pieces.push(chunk))), ...pieces.end()])
}

function ofText (rules: readonly Rule[], text: string): string {
  return replaced(replacementsOf(rules), [Buffer.from(text)]).toString()
}

/** The same by trying every rule at every place: slow, and plain to see. */
function reference (rules: readonly Rule[], body: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < body.length;) {
    let best: Rule | undefined
    for (const rule of rules) {
      const from = Buffer.from(rule.from)
      const end = at + from.length
      if (!body.subarray(at, end).equals(from)) continue
      if (rule.before !== undefined && at > 0 && rule.before[body[at - 1] as number] === 0) continue
      if (rule.notBefore !== undefined && end < body.length && rule.notBefore[body[end] as number] === 1) continue
      if (best === undefined || from.length > Buffer.byteLength(best.from)) best = rule
    }
    parts.push(best === undefined ? body.subarray(at, at + 1) : Buffer.from(best.to))
    at += best === undefined ? 1 : Buffer.byteLength(best.from)
  }
  return Buffer.concat(parts)
}

function bytes (...texts: string[]): Buffer[] {
  return texts.map(text => Buffer.from(text))
}

/** Numbers that look random and are the same in every run. */
function random (seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor(state / 2 ** 32 * below)
  }
}

t.test('every occurrence is replaced, and all else stays', async t => {
  t.equal(ofText([{ from: 'cat', to: 'dog' }], 'cat concat cats ca t cat'), 'dog condog dogs ca t dog')
  t.equal(ofText([{ from: 'cat', to: '' }], 'catcatca'), 'ca')
  t.equal(ofText([], 'nothing is looked for'), 'nothing is looked for')
  t.equal(ofText([{ from: 'a', to: 'b' }], ''), '')
})

t.test('of texts at one place the longest is replaced, of equal ones by the first rule', async t => {
  const rules = [{ from: 'a', to: '1' }, { from: 'abc', to: '3' }, { from: 'ab', to: '2' }, { from: 'ab', to: 'never' }]
  t.equal(ofText(rules, 'a ab abc abcd'), '1 2 3 3d')
  t.equal(ofText([{ from: 'abcd', to: 'x' }, { from: 'bc', to: 'y' }], 'abce abcd'), 'aye x', 'one within another that does not come to be')
})

t.test('what begins first is replaced first, though what follows is longer', async t => {
  t.equal(ofText([{ from: 'ab', to: '1' }, { from: 'bcdef', to: '2' }], 'abcdef'), '1cdef')
})

t.test('what was put in is not looked at again', async t => {
  t.equal(ofText([{ from: 'a', to: 'aa' }, { from: 'aaa', to: 'never' }, { from: 'b', to: 'a' }], 'ab ba'), 'aaa aaa')
  t.equal(ofText([{ from: 'x', to: 'y' }, { from: 'y', to: 'x' }], 'xyyx'), 'yxxy')
})

t.test('the bytes around decide, in the body as it came', async t => {
  const quoted = { from: '/a', to: '/b', before: byteSet('"') }
  t.equal(ofText([quoted], '/a "/a x/a'), '/b "/b x/a', 'the beginning of the body is as good as a quote')
  const host = { from: 'host', to: 'there', notBefore: byteSet('.x') }
  t.equal(ofText([host], 'host.evil hostx host host'), 'host.evil hostx there there', 'so is its end')
  t.equal(ofText([{ from: 'q', to: '"' }, quoted], 'q/a'), '"/a', 'not what was put in before it')
  t.equal(ofText([host, { from: 'ost.', to: '!' }], 'host.'), 'h!', 'one that does not count hides none that does')
})

t.test('bytes that are no text stay as they are', async t => {
  const body = Buffer.from([0xff, 0xfe, 0x00, 0x61, 0x80, 0xc3])
  t.same(replaced(replacementsOf([{ from: 'a', to: 'ü' }]), [body]), Buffer.from([0xff, 0xfe, 0x00, 0xc3, 0xbc, 0x80, 0xc3]))
  const everyByte = Buffer.from(Array.from({ length: 512 }, (_, n) => n % 256))
  const rules = [{ from: String.fromCharCode(...Array.from({ length: 128 }, (_, n) => n)), to: '-' }]
  t.same(replaced(replacementsOf(rules), [everyByte]), reference(rules, everyByte))
})

t.test('every split of every body gives what the whole gives', async t => {
  const around = byteSet('ab')
  const sets: Rule[][] = [
    [{ from: 'ab', to: 'X' }],
    [{ from: 'a', to: '1' }, { from: 'aa', to: '2' }, { from: 'aaaa', to: '4' }],
    [{ from: 'abcab', to: 'L' }, { from: 'ca', to: 'S' }, { from: 'b', to: 'BB' }],
    [{ from: 'aab', to: '', notBefore: around }, { from: 'ab', to: 'Y', before: around }],
    [{ from: 'ab', to: 'P', notBefore: byteSet('c') }, { from: 'b', to: 'Q', before: byteSet('c') }, { from: 'abca', to: 'R', before: byteSet('b'), notBefore: byteSet('a') }],
    [{ from: 'bca', to: 'abc' }, { from: 'cab', to: 'bca' }, { from: 'a', to: 'cc', notBefore: byteSet('abc') }]
  ]
  for (const [place, rules] of sets.entries()) {
    const replacements = replacementsOf(rules)
    let wrong = ''
    for (let number = 0; number < 3 ** 6; number++) {
      const body = Buffer.from(number.toString(3).padStart(6, '0').replaceAll('0', 'a').replaceAll('1', 'b').replaceAll('2', 'c'))
      const expected = reference(rules, body)
      for (let cuts = 0; cuts < 2 ** 5; cuts++) {
        if (!replaced(replacements, split(body, cuts)).equals(expected)) wrong ||= `${body.toString()} cut at ${cuts.toString(2)}`
      }
    }
    t.equal(wrong, '', `rules ${place}`)
  }
})

/** Cut before each byte of which the bit is set. */
function split (body: Buffer, cuts: number): Buffer[] {
  const chunks: Buffer[] = []
  let from = 0
  for (let at = 1; at < body.length; at++) {
    if ((cuts >> (at - 1) & 1) === 0) continue
    chunks.push(body.subarray(from, at))
    from = at
  }
  return [...chunks, body.subarray(from)]
}

t.test('random rules in random bodies, cut anywhere, give what trying them all gives', async t => {
  const next = random(7)
  const letters = (length: number): string => Array.from({ length }, () => 'abc'[next(3)]).join('')
  const set = (): ReturnType<typeof byteSet> | undefined => next(3) === 0 ? byteSet(letters(2)) : undefined
  let wrong = ''
  for (let round = 0; round < 200; round++) {
    const rules = Array.from({ length: 1 + next(8) }, () => ({ from: letters(1 + next(6)), to: letters(next(5)), before: set(), notBefore: set() }))
    const body = Buffer.from(letters(200 + next(200)))
    const chunks: Buffer[] = []
    for (let at = 0; at < body.length;) {
      const end = at + 1 + next(40)
      chunks.push(body.subarray(at, end))
      at = end
    }
    if (!replaced(replacementsOf(rules), chunks).equals(reference(rules, body))) wrong ||= JSON.stringify(rules)
  }
  t.equal(wrong, '')
})

t.test('a chunk larger than a piece is one body all the same', async t => {
  const rules = [{ from: 'needle', to: 'pin' }, { from: 'x', to: 'y'.repeat(2000) }]
  const body = Buffer.from('hay needle stack '.repeat(10_000) + 'x'.repeat(300))
  const pieces = replacementsOf(rules).start()
  const output = [...pieces.push(body), ...pieces.end()]
  t.ok(Buffer.concat(output).equals(Buffer.from('hay pin stack '.repeat(10_000) + 'y'.repeat(600_000))))
  t.ok(Math.max(...output.map(({ length }) => length)) < 1024 * 1024, 'and comes in pieces, however much a byte becomes')
})

t.test('only bytes that may still be part of an occurrence are held back', async t => {
  const pieces = replacementsOf([{ from: 'http://origin/', to: '/' }, { from: 'b', to: 'c' }]).start()
  const seen = (text: string): string => Buffer.concat([...pieces.push(Buffer.from(text))]).toString()
  t.equal(seen('live bytes'), 'live cytes', 'none here')
  t.equal(seen('see http://ori'), 'see ', 'the beginning of a URL')
  t.equal(seen('on'), 'http://orion', 'which is none')
  t.equal(seen('http://origin'), '')
  t.equal(seen('/'), '/', 'an occurrence at once, since nothing longer can come')
  t.equal(seen('htthttp:'), 'htt', 'the latest beginning alone')
  t.equal(Buffer.concat([...pieces.end()]).toString(), 'http:')
})

t.test('what depends on the next byte waits for it, or for the end', async t => {
  const pieces = replacementsOf([{ from: 'host', to: 'mount', notBefore: byteSet('s') }]).start()
  t.same([...pieces.push(Buffer.from('host'))], [])
  t.same([...pieces.push(Buffer.from('s host'))], bytes('hosts '))
  t.same([...pieces.end()], bytes('mount'))
})

t.test('what is held back does not keep the chunk that it came in', async t => {
  const pieces = replacementsOf([{ from: 'abc', to: 'd' }]).start()
  const chunk = Buffer.from('..ab')
  t.same([...pieces.push(chunk)], bytes('..'))
  chunk.fill('x') // as a pool would use it again
  t.same([...pieces.push(Buffer.from('c'))], bytes('d'))
})

t.test('bodies at the same time know nothing of each other', async t => {
  const replacements = replacementsOf([{ from: 'ab', to: 'X' }])
  const [one, other] = [replacements.start(), replacements.start()]
  t.same([...one.push(Buffer.from('a'))], [])
  t.same([...other.push(Buffer.from('b'))], bytes('b'))
  t.same([...one.push(Buffer.from('b'))], bytes('X'))
})

t.test('hostile bodies take the time of others', async t => {
  const long = 'a'.repeat(2047)
  const rules = [{ from: 'a', to: 'a' }, { from: `${long}b`, to: 'never' }, { from: 'ab', to: 'ab', before: byteSet('c') }]
  const replacements = replacementsOf(rules)
  const size = 2_000_000
  const plain = Buffer.alloc(size, 'z')
  const near = Buffer.alloc(size, 'a')
  replaced(replacements, [near.subarray(0, 100_000)])
  const usual = cpuMs(() => { replaced(replacements, [plain]) })
  const hostile = cpuMs(() => { t.ok(replaced(replacements, [near]).equals(near)) })
  t.ok(hostile < 3000 + usual * 20, `${Math.round(hostile)} ms for near-matches of 2 KB at every byte, ${Math.round(usual)} ms for none`)
  const drops = Array.from({ length: 20_000 }, () => Buffer.from('a'))
  const dropwise = cpuMs(() => { replaced(replacements, drops) })
  t.ok(dropwise < 5000, `${Math.round(dropwise)} ms byte by byte`)
})

t.test('more than a table holds is refused at once', async t => {
  const rules = Array.from({ length: 20_000 }, (_, n) => ({ from: `${n}`.repeat(200), to: '' }))
  t.throws(() => replacementsOf(rules), { name: 'RangeError', message: /^Expected texts to look for of at most \d+ bytes together, .* but received \d+$/ })
})
