import t from 'tap'
import { addVary } from '../../../lib/http/vary.ts'

t.test('a name is added once, whatever its case', async t => {
  const rows: Array<[string | undefined, string, string]> = [
    [undefined, 'Accept', 'Accept'],
    ['', 'Accept', 'Accept'],
    ['Origin', 'Accept', 'Origin, Accept'],
    ['Origin', 'origin', 'Origin'],
    ['Origin,accept-encoding', 'Accept-Encoding', 'Origin,accept-encoding'],
    ['Accept-Encoding', 'Accept', 'Accept-Encoding, Accept'],
    ['*', 'Accept', '*'],
    ['Origin, *', 'Accept', 'Origin, *']
  ]
  for (const [present, name, expected] of rows) t.equal(addVary(present, name), expected)
})
