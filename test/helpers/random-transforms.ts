import { operationNames, operations, type Operation, type OperationName } from '../../lib/transform/operations.ts'
import type { Values } from '../../lib/transform/transform.ts'

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function seeded (seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Texts that are likely to be a value of some operation, whatever its argument is. */
const likely: ReadonlyArray<(random: () => number) => string> = [
  random => String(Math.floor(random() * 300)),
  random => String(Math.floor(random() * 8)),
  random => (random() * 3).toFixed(3),
  random => (random() * 200 - 100).toFixed(2),
  random => [1, 2, 3, 4].map(() => Math.floor(random() * 50)).join(','),
  random => [1, 2, 3].map(() => (random() * 3).toFixed(1)).join(','),
  random => [1, 2, 3, 4].map(() => (0.01 + random() * 0.9).toFixed(4)).join(','),
  random => Math.floor(random() * 0x1000000).toString(16).padStart(6, '0'),
  random => ['auto', 'none', '', 'h', 'hv', 'top-left', 'right', 'attention', 'focalpoint', 'center', 'contain', 'pad', 'scale-down', 'cover', 'fill', 'inside', 'circle', 'corners'][Math.floor(random() * 18)] as string,
  random => ['jpeg', 'webp', 'gif', 'lanczos2', '420', 'all', 'p3', '16:9', 'transparent', 'logo_2', 'a b_c,d:e=f&g/h%i?j#k', 'é 😀 "x"', '1', '0'][Math.floor(random() * 14)] as string
]

/** Values of each operation, found once: most of the likely texts are none. */
const pools = new Map<OperationName, unknown[]>()

/** A value of an operation, as its argument reads it. */
export function randomValue (name: OperationName, random: () => number): unknown {
  let pool = pools.get(name)
  if (pool === undefined) {
    const random = seeded(name.length)
    pool = Array.from({ length: 40 }, () => findValue(name, random))
    pools.set(name, pool)
  }
  return pool[Math.floor(random() * pool.length)]
}

function findValue (name: OperationName, random: () => number): unknown {
  const { argument } = operations[name] as unknown as Operation<unknown>
  for (;;) {
    try {
      return argument.read((likely[Math.floor(random() * likely.length)] as typeof likely[0])(random))
    } catch {
      // No value of this one: the next.
    }
  }
}

/** Values of some operations, in any order. Sizes are more likely than others: most depends on them. */
export function randomValues (random: () => number): Values {
  const names = operationNames.filter(name => random() < (['w', 'h', 'fit', 'enlarge', 'f'].includes(name) ? 0.5 : 0.12))
  const shuffled = names.map(name => [random(), name] as const).toSorted((a, b) => a[0] - b[0])
  return Object.fromEntries(shuffled.map(([, name]) => [name, randomValue(name, random)]))
}
