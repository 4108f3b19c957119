import t from 'tap'
import type { Static } from 'typebox'
import { PictureFacts } from '../../../lib/api/schemas.ts'
import type { ImageInfo } from '../../../lib/image/info/info.ts'

type Same<One, Other> = [One] extends [Other] ? [Other] extends [One] ? true : false : false

t.test('what the document tells of pictures is what image workers tell', t => {
  const isSame: Same<ImageInfo, Static<typeof PictureFacts>> = true // fails to compile otherwise
  t.ok(isSame)
  t.ok(Object.keys(PictureFacts.properties).length > 15)
  t.end()
})
