import { SharedJournal } from '../../lib/writing/shared-journal.ts'

/* A process that appends to a journal until it is killed, and tells its parent of each entry once it is written. */

const [directory = '', name = ''] = process.argv.slice(2)
const sums = new Map<string, number>()
const journal = await SharedJournal.open(directory, {
  reset: () => sums.clear(),
  apply: ([key, , value]) => { sums.set(String(key), (sums.get(String(key)) ?? 0) + Number(value)) },
  snapshot: () => [...sums].map(([key, value]) => [key, 'snapshot', value])
})
for (let at = 0; ; at++) {
  await Promise.all(Array.from({ length: 5 }, async (_, place) => {
    await journal.append([name, `${name}-${at}-${place}`, 1])
    process.send?.(`${at}-${place}`)
  }))
  if (at % 30 === 29) await journal.compact()
}
