import t from 'tap'
import { StoreFault, type StoredVariant, type VariantKey } from '../../../lib/cache/store.ts'
import { keptRepresentation, unmadeRepresentation, type Maker } from '../../../lib/image/variant-representation.ts'
import type { Ingredients, Variant } from '../../../lib/image/variant.ts'
import { RepresentationChanged } from '../../../lib/representation.ts'

const variant = { key: 'k' as VariantKey, entityTag: '"tag"', type: 'image/webp' } as Variant
const from = {} as Ingredients
const { signal } = new AbortController()
const stored = (bytes: Buffer, tier: StoredVariant['tier'] = 'disk'): StoredVariant => ({ type: 'image/webp', tags: [], size: bytes.length, tier, open: async range => range === undefined ? bytes : bytes.subarray(range.start, range.end + 1) })

/** Where variants come from, and what was asked of it. */
function maker (more: Partial<Maker> = {}): Maker & { asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    kept: () => { asked.push('kept'); return undefined },
    made: async () => { asked.push('made'); return { stored: stored(Buffer.from('made')), outcome: 'made' } },
    written: async () => { asked.push('written'); return undefined },
    ...more
  }
}

t.test('a variant that is not there is made when its bytes are asked for, and not for its head', async t => {
  const source = maker()
  const representation = unmadeRepresentation(variant, from, { vary: 'Accept', maker: source })
  t.match(representation, { type: 'image/webp', entityTag: '"tag"', vary: 'Accept', size: undefined })
  t.match(await representation.complete?.({ make: false, signal }), { size: undefined, complete: undefined })
  t.strictSame(source.asked, ['kept'])
  t.match(await representation.complete?.({ make: true, signal }), { size: 4, cacheOutcome: 'made', entityTag: '"tag"', vary: 'Accept' })
  t.strictSame(source.asked, ['kept', 'made'])
  t.match(await representation.open({ start: 1, end: 2 }), Buffer.from('ad'), 'who opens it at once gets it made too')
})

t.test('one that is there tells its size without being made', async t => {
  const representation = unmadeRepresentation(variant, from, { vary: undefined, maker: maker({ kept: () => stored(Buffer.from('kept')) }) })
  t.match(await representation.complete?.({ make: false, signal }), { size: 4, cacheOutcome: 'hit-disk' })
})

t.test('a large one is read from where it is kept, or given as it was made where it is not', async t => {
  const large = Buffer.alloc(2_000_000, 'a')
  const made: Maker['made'] = async () => ({ stored: { ...stored(large), bytes: large }, outcome: 'made' })
  const kept = unmadeRepresentation(variant, from, { vary: undefined, maker: maker({ made, written: async () => stored(large) }) })
  t.match(await kept.complete?.({ make: true, signal }), { size: 2_000_000, bytes: undefined, cacheOutcome: 'made' })
  const unkept = unmadeRepresentation(variant, from, { vary: undefined, maker: maker({ made }) })
  t.equal((await unkept.complete?.({ make: true, signal }))?.bytes?.length, 2_000_000)
})

t.test('what is kept has one representation, as long as it varies by the same', t => {
  const one = stored(Buffer.from('x'))
  t.equal(keptRepresentation(one, variant, 'Accept'), keptRepresentation(one, variant, 'Accept'))
  t.not(keptRepresentation(one, variant, 'Accept'), keptRepresentation(one, variant, undefined))
  t.end()
})

t.test('what was kept and is gone is to be described anew; another fault stays what it is', async t => {
  const gone = keptRepresentation({ ...stored(Buffer.from('x')), open: async () => { throw new StoreFault('gone') } }, variant, undefined)
  await t.rejects(async () => await gone.open(), RepresentationChanged)
  const broken = keptRepresentation({ ...stored(Buffer.from('x')), open: async () => { throw new TypeError('other') } }, variant, undefined)
  await t.rejects(async () => await broken.open(), TypeError)
})
