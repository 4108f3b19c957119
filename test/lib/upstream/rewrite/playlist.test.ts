import t from 'tap'
import { PlaylistLines } from '../../../../lib/upstream/rewrite/playlist.ts'
import { referenceMapper } from '../../../../lib/upstream/rewrite/references.ts'
import { cpuMs } from '../../../helpers/process.ts'

const map = referenceMapper({ origins: [new URL('http://origin:8080/live/')], mountPrefix: '/tv' })

function mapped (...chunks: Array<string | Buffer>): string {
  const lines = new PlaylistLines(map)
  return Buffer.concat([...chunks.flatMap(chunk => Array.from(lines.push(Buffer.from(chunk)))), ...lines.end()]).toString()
}

const playlist = `#EXTM3U
#EXT-X-VERSION:6
# a comment about http://origin:8080/live/x
#EXT-X-DEFINE:NAME="base",VALUE="http://origin:8080/live/vod"
#EXT-X-KEY:METHOD=AES-128,URI="http://origin:8080/live/key?id=1",IV=0x1
#EXT-X-MAP:URI="/live/init.mp4"
#EXT-X-MEDIA:TYPE=AUDIO,NAME="/live/",URI="//origin:8080/live/a.m3u8"
#EXT-X-DATERANGE:ID="ad",X-ASSET-URI="http://origin:8080/live/ad.m3u8",X-ASSET-LIST="http://origin:8080/live/ads.json",X-OTHER="http://origin:8080/live/o"
#EXT-X-CONTENT-STEERING:SERVER-URI="http://origin:8080/live/steer"
#EXTINF:6.0,http://origin:8080/live/title
http://origin:8080/live/seg1.ts?sig=a%2Fb
/live/seg2.ts
seg3.ts
{$base}/seg4.ts
https://cdn.example/live/seg5.ts
http://origin:8080/other/seg6.ts
`
const expected = `#EXTM3U
#EXT-X-VERSION:6
# a comment about http://origin:8080/live/x
#EXT-X-DEFINE:NAME="base",VALUE="/tv/vod"
#EXT-X-KEY:METHOD=AES-128,URI="/tv/key?id=1",IV=0x1
#EXT-X-MAP:URI="/tv/init.mp4"
#EXT-X-MEDIA:TYPE=AUDIO,NAME="/live/",URI="/tv/a.m3u8"
#EXT-X-DATERANGE:ID="ad",X-ASSET-URI="/tv/ad.m3u8",X-ASSET-LIST="/tv/ads.json",X-OTHER="http://origin:8080/live/o"
#EXT-X-CONTENT-STEERING:SERVER-URI="/tv/steer"
#EXTINF:6.0,http://origin:8080/live/title
/tv/seg1.ts?sig=a%2Fb
/tv/seg2.ts
seg3.ts
{$base}/seg4.ts
https://cdn.example/live/seg5.ts
http://origin:8080/other/seg6.ts
`

t.test('lines and attributes that are URIs lead to the mount, and nothing else', async t => {
  t.equal(mapped(playlist), expected)
})

t.test('every split gives what the whole gives, with either end of line', async t => {
  const windows = (text: string): string => text.replaceAll('\n', '\r\n')
  for (const [before, after] of [[playlist, expected], [windows(playlist), windows(expected)]] as const) {
    let wrong = -1
    for (let at = 0; at <= before.length; at++) if (mapped(before.slice(0, at), before.slice(at)) !== after) wrong = at
    t.equal(wrong, -1)
    t.equal(mapped(...before.split('')), after, 'byte by byte')
  }
})

t.test('the last line needs no end', async t => {
  t.equal(mapped('/live/a\n/live/b'), '/tv/a\n/tv/b')
  t.equal(mapped('/live/a\n\n\r\n'), '/tv/a\n\n\r\n')
  t.equal(mapped(''), '')
})

t.test('a line goes out when it is complete', async t => {
  const lines = new PlaylistLines(map)
  const seen = (text: string): string => Buffer.concat([...lines.push(Buffer.from(text))]).toString()
  t.equal(seen('#EXTM3U\n/live/se'), '#EXTM3U\n')
  t.equal(seen('g1.ts'), '')
  t.equal(seen('\n#'), '/tv/seg1.ts\n')
})

t.test('other bytes than ASCII stay as they are', async t => {
  const bytes = Buffer.concat([Buffer.from('\uFEFF#EXTM3U\n/live/caf\u00e9.ts\n'), Buffer.from([0xff, 0x80, 0x00, 0x0a])])
  const lines = new PlaylistLines(map)
  t.same(Buffer.concat([...lines.push(bytes), ...lines.end()]), Buffer.concat([Buffer.from('\uFEFF#EXTM3U\n/tv/caf\u00e9.ts\n'), Buffer.from([0xff, 0x80, 0x00, 0x0a])]))
})

t.test('a line that never ends passes as it is, and is not kept', async t => {
  const lines = new PlaylistLines(map)
  const chunk = Buffer.from(`/live/${'x'.repeat(50_000)}`)
  let given = 0
  for (let n = 0; n < 200; n++) {
    for (const piece of lines.push(chunk)) given += piece.length
    t.ok(chunk.length * (n + 1) - given <= 2 * 64 * 1024 + chunk.length || n)
  }
  t.ok(chunk.length * 200 - given <= 64 * 1024, 'little is held back')
  const rest = [...lines.push(Buffer.from('y\n/live/a\n')), ...lines.end()]
  t.match(Buffer.concat(rest).toString(), /y\n\/tv\/a\n$/, 'and the next line is read again')
})

t.test('hostile playlists take the time of others', async t => {
  const hostile = [
    `#EXT:${'A'.repeat(500_000)}`, `#EXT:${' '.repeat(60_000)}\n`.repeat(10), `#EXT${',URI="'.repeat(10_000)}\n`.repeat(8), `#EXT:${'URI="'.repeat(10_000)}`, `#EXT:${',VALUE="x'.repeat(60_000)}`, '/\n'.repeat(100_000), '\n'.repeat(500_000),
    `${'/'.repeat(60_000)}\n`.repeat(8), `/live/${'../'.repeat(20_000)}\n`.repeat(8)
  ]
  const took = cpuMs(() => { for (const text of hostile) mapped(text) })
  t.ok(took < 10_000, `${Math.round(took)} ms`)
})
