import t from 'tap'
import { parseEntityTags } from '../../../../lib/http/entity-tag.ts'
import { entityTagMapping } from '../../../../lib/upstream/rewrite/entity-tags.ts'

const tags = entityTagMapping('abc')

t.test('a mapped tag is weak, valid, tells of the changes, and comes back as it was', async t => {
  for (const tag of ['"x"', 'W/"x"', '""', 'W/""', '"a~abcs"', 'W/"a~abcw"', '"W/"', '"x,y"']) {
    const mapped = tags.map(tag)
    t.ok(mapped.startsWith('W/"'), mapped)
    t.same(parseEntityTags(mapped), [mapped])
    t.equal(tags.unmap(mapped), tag)
    t.equal(tags.unmap(mapped.slice(2)), tag, 'also where W/ was lost')
    t.not(entityTagMapping('abd').map(tag), mapped)
  }
})

t.test('strong and weak tags of an origin do not become one', async t => {
  t.not(tags.map('"x"'), tags.map('W/"x"'))
})

t.test('other tags are none of ours', async t => {
  for (const tag of ['"x"', 'W/"x"', '*', '', '"~abcs', '~abcs"x', 'Wed, 21 Oct 2026 07:28:00 GMT', entityTagMapping('abd').map('"x"')]) t.equal(tags.unmap(tag), undefined, tag)
})

t.test('a field is mapped back member by member', async t => {
  const stale = entityTagMapping('old').map('"z"')
  t.equal(tags.unmapField(`${tags.map('"x"')}, "other" ,${tags.map('W/"y"')}, ${stale}`), `"x", "other", W/"y", ${stale}`)
  for (const field of ['*', '"a",  "b"', 'no tag', '', `"unclosed, ${tags.map('"x"')}`]) t.equal(tags.unmapField(field), field, 'as it is')
})

t.test('a tag is known by its mapped form alone', async t => {
  t.ok(tags.isKnownAs(`"a", ${tags.map('"x"')}`, '"x"'))
  t.ok(tags.isKnownAs(tags.map('W/"x"'), '"x"'), 'weakly compared')
  t.notOk(tags.isKnownAs('"x"', '"x"'))
  t.notOk(tags.isKnownAs(tags.map('"y"'), '"x"'))
  t.notOk(tags.isKnownAs('*', '"x"'))
})
