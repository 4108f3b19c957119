import t from 'tap'
import { generatedName, givenName, MAX_KEY_BYTES, MAX_SEGMENT_BYTES, MAX_SEGMENTS, normalKey } from '../../../lib/writing/names.ts'
import { childKey, isAskable, rootKey, type Key } from '../../../lib/paths/request-path.ts'

const key = (text: string): Key => childKey(rootKey, text)
const badName = { code: 'bad-name', statusCode: 400 }

t.test('names of every language stay what they are, and can be asked for', t => {
  const names = [
    'cat.jpg', 'Übergröße.png', 'façade naïve.txt', 'データ.csv', 'タイトル：サブ？.jpg', '한국어.txt', 'نامه.pdf', 'می\u200Cخواهم.jpg', 'क्\u200Dष.jpg', 'שלום.txt', 'ไทย.txt', 'Ωμέγα.txt',
    '👩🏽\u200D💻.png', '❤\uFE0F\u200D🔥.png', '1\uFE0F\u20E3.png', '🏳\uFE0F\u200D🌈.png', '葛\u{E0100}飾.png', '½.jpg', 'ﬁle.txt', '①.txt', 'x².txt',
    'Screenshot at 9.41.00\u202FAM.png', 'a b.jpg', '100%.jpg', 'a%20b.jpg', '50% off & more; (1) [2] {3} ~#+=@!$\'^,.jpg', '-rf.txt', '~x.txt',
    'www.example.com.jpg', 'jquery.min.map', 'v1.2.3.tar.gz', 'console.txt', 'comfort.jpg', 'com10.txt', 'nullify.txt', 'auxiliary', 'no-ending'
  ]
  for (const name of names) {
    t.equal(normalKey(key(name)), name.normalize('NFC'), name)
    t.equal(givenName(name), name.normalize('NFC'))
    t.ok(isAskable(rootKey, normalKey(key(name))), `${name} can be asked for`)
  }
  t.equal(normalKey(key('2026/11/Ü.jpg')), '2026/11/Ü.jpg')
  t.end()
})

t.test('a name is one name in whatever normal form it comes, or another one that is as good', t => {
  for (const name of ['Ångström.txt', 'é.jpg', '한국어.txt', 'ﬁle.txt', '①.txt', 'ｈａｌｆ.txt', 'ñandú/Übung.txt', 'ｶﾞ.txt', 'ΐ.txt', 'ở.txt', '\u212B.txt', '\u1E9B\u0323.txt']) {
    const [composed, decomposed, ...compatible] = (['NFC', 'NFD', 'NFKC', 'NFKD'] as const).map(form => normalKey(key(name.normalize(form))))
    t.equal(composed, decomposed, name)
    t.equal(composed, name.normalize('NFC'))
    t.equal(compatible[0], compatible[1], `${name}: both compatible forms are one name`)
    t.equal(normalKey(key(composed as string)), composed, 'what is normal stays so')
  }
  t.throws(() => normalKey(key('½.jpg'.normalize('NFKC'))), badName, 'unless it is no good: a fraction has what looks like a slash')
  t.end()
})

t.test('a name of a hundred decomposed letters is measured as it will be written', t => {
  const name = '각'.repeat(80)
  t.ok(Buffer.byteLength(name.normalize('NFD')) > MAX_SEGMENT_BYTES)
  t.equal(normalKey(key(name.normalize('NFD'))), name)
  t.end()
})

t.test('bounds are held to the byte', t => {
  t.equal(normalKey(key('a'.repeat(MAX_SEGMENT_BYTES))).length, MAX_SEGMENT_BYTES)
  t.throws(() => normalKey(key('a'.repeat(MAX_SEGMENT_BYTES + 1))), badName)
  t.throws(() => normalKey(key('é'.repeat(128))), badName, 'bytes, not characters')
  const segments = (count: number, length: number): Key => key(Array.from({ length: count }, () => 'a'.repeat(length)).join('/'))
  t.equal(normalKey(segments(MAX_SEGMENTS, 31)).length, MAX_KEY_BYTES - 1)
  t.throws(() => normalKey(segments(MAX_SEGMENTS, 32)), badName)
  t.throws(() => normalKey(segments(MAX_SEGMENTS + 1, 1)), badName)
  t.throws(() => normalKey(key('a'.repeat(1e6))), badName)
  t.throws(() => givenName('a'.repeat(1e6)), badName)
  t.end()
})

t.test('a refusal tells the rule, and nothing of the name', t => {
  for (const [name, rule] of [['secret\u0007', /control/], ['secret<', /any of/], ['.secret', /begin with a dot/], ['secret\u202E', /direction/], ['', /empty/], ['secret.php', /web servers/], ['con.secret', /Windows/]] as const) {
    t.throws(() => normalKey(key(name)), { code: 'bad-name', message: rule })
    try { normalKey(key(name)) } catch (error) { t.notMatch((error as Error).message, /secret/) }
  }
  t.end()
})

t.test('of what a form or an upload calls a file, the last part is its name', t => {
  t.equal(givenName('cat.jpg'), 'cat.jpg')
  t.equal(givenName('C:\\fakepath\\cat.jpg'), 'cat.jpg', 'as old browsers said it')
  t.equal(givenName('D:\\Users\\me\\My Pictures\\cat.jpg'), 'cat.jpg')
  t.equal(givenName('holiday/2026/cat.jpg'), 'cat.jpg', 'as browsers send directories')
  t.equal(givenName('e\u0301.jpg'), 'é.jpg')
  t.end()
})

t.test('names are made by each scheme', t => {
  const uuid = '[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}'
  const now = new Date('2026-11-20T23:59:59.999Z')
  t.match(generatedName('uuid', { extension: '.jpg', now }), new RegExp(`^${uuid}\\.jpg$`))
  t.not(generatedName('uuid', { extension: '', now }), generatedName('uuid', { extension: '', now }))
  t.match(generatedName('date', { extension: '.png', now }), new RegExp(`^2026/11/20/${uuid}\\.png$`))
  t.equal(generatedName('hash', { extension: '.txt', now, sha256: 'ab'.repeat(32) }), `${'ab'.repeat(32)}.txt`)
  t.throws(() => generatedName('hash', { extension: '.txt', now }), TypeError)
  for (const scheme of ['uuid', 'date', 'hash'] as const) {
    const made = key(generatedName(scheme, { extension: '.jpg', now, sha256: 'ab'.repeat(32) }))
    t.equal(normalKey(made), made, `${scheme}: a made name is a good one`)
  }
  t.end()
})
