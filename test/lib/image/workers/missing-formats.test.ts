import t from 'tap'
import { inputFormats } from '../../../../lib/image/format.ts'
import { missingFormats } from '../../../../lib/image/workers/missing-formats.ts'

t.test('what the installed engine cannot decode is told', async t => {
  t.strictSame(await missingFormats(inputFormats), [], 'this one can all')
  const poor = new URL('./programs/poor.ts', import.meta.url)
  t.strictSame(await missingFormats(['png', 'jpeg', 'svg'], poor), ['png', 'svg'])
  await t.rejects(missingFormats(['png'], new URL('./programs/none.ts', import.meta.url)), { code: 'unavailable' })
})
