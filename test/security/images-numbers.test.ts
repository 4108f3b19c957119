// Operations as a weapon: thumbor's proportion(10000) and convolution with no columns
// (SIGFPE), regular expressions that never end, output without bound (Altair CVE-2024-56200).
import sharp from 'sharp'
import t from 'tap'
import { png } from '../helpers/bombs.ts'
import { cpuClock } from '../helpers/process.ts'
import { askTimed, besieged, outlived, servedPictures, watch, wrongAnswer } from '../helpers/siege.ts'

t.setTimeout(180_000) // long on a machine that others use too

const SMALL = await sharp({ create: { width: 64, height: 48, channels: 4, background: { r: 200, g: 60, b: 20, alpha: 0.5 } } }).png().toBuffer()

const numbers = ['0', '-1', '1e9', '1e999', '-1e999', '999999999999999999999', 'NaN', 'Infinity', '-0', '0x10', '1_000', ' 1', '', '1,1,1,1,1,1,1,1', '٣', '1.7976931348623157e308', '5e-324', '4294967296', '2147483648', '%00', 'null', '[object Object]']
const numeric = ['w', 'h', 'dpr', 'zoom', 'q', 'blur', 'sharp', 'bri', 'sat', 'hue', 'con', 'gam', 'rot', 'trim', 'pad', 'px', 'radius', 'frame', 'fx', 'gamma', 'median', 'threshold', 'lightness', 'linear', 'clahe', 'dilate', 'erode', 'mark-pad', 'effort', 'ar', 'rect']

t.test('no number crashes, hangs or becomes a failure of the server', async t => {
  const served = await servedPictures(t, { 'a.png': SMALL }, { images: { mode: 'open' } })
  const wrong: string[] = []
  for (const name of numeric) {
    for (const number of numbers) {
      const text = encodeURIComponent(number).replace('%2500', '%00')
      for (const path of [`/a.png?${name}=${text}`, `/_ipx/${name}_${text}/a.png`]) {
        const answer = await askTimed(served, path)
        if (![200, 400, 422].includes(answer.status)) wrong.push(`${path} is ${answer.status}: ${answer.text.slice(0, 200)}`)
        if (answer.status !== 200 && answer.code === undefined) wrong.push(`${path} has no code`)
        if (answer.code === 'image-too-costly') wrong.push(`${path} cost a worker`)
      }
    }
  }
  t.same(wrong, [])
  t.equal((await askTimed(served, '/a.png?w=20')).status, 200)
})

t.test('a variant is never larger than the limits, however it is asked for', async t => {
  const limits = { dimension: 2000, outputPixels: 1_000_000 }
  const served = await servedPictures(t, { 'a.png': SMALL, 'wide.png': png({ width: 8000, height: 2 }) }, { images: { mode: 'open', limits } })
  const paths = [
    'a.png?w=100000&fit=fill', 'a.png?w=2000&h=2000&fit=cover', 'a.png?w=2000&h=2000&fit=contain', 'a.png?w=2000&fit=fill', 'a.png?w=500&dpr=5&fit=fill&h=500', 'a.png?w=1000&h=1000&pad=4096', 'a.png?pad=4096', 'a.png?pad=500,500,500,500&w=900&h=900&fit=fill',
    'a.png?w=1990&h=400&fit=fill&rot=45', 'a.png?ar=100:1&h=50&fit=cover', 'a.png?ar=0.01&w=50&fit=cover', 'a.png?w=2000&ar=1&fit=fill', 'wide.png?h=40&fit=outside&enlarge', 'wide.png?fit=outside&w=2000&h=1000', 'wide.png?w=8000&f=png', 'wide.png?rot=90', 'wide.png?f=webp', 'a.png?zoom=10&w=1500&h=1500&fit=cover', '_ipx/s_20000x20000,enlarge/a.png', '_ipx/extend_4000_4000_4000_4000/a.png', '_ipx/enlarge,w_8000/a.png'
  ]
  for (const path of paths) {
    const answer = await askTimed(served, `/${path}`)
    t.equal(wrongAnswer(answer.status === 400 ? { ...answer, status: 422 } : answer, served.root), undefined, `${path} is ${answer.status} ${answer.code}`)
    if (answer.status !== 200) continue
    const { width, height } = await sharp(answer.body).metadata()
    t.ok(width <= limits.dimension && height <= limits.dimension && width * height <= limits.outputPixels, `${path} is ${width} × ${height}`)
  }
})

t.test('the costliest operations of one URL, on the largest picture, end at their bounds', async t => {
  const deadlineMs = 800
  const siege = await besieged(t, { 'large.png': png({ width: 7000, height: 7000 }), 'thin.png': png({ width: 40_000_000, height: 1, colour: 0 }), 'tall.png': png({ width: 1, height: 40_000_000, colour: 0 }) }, { images: { mode: 'open' }, work: { deadlineMs } })
  const paths = [
    'large.png?median=15', 'large.png?blur=100&f=avif&effort=6', 'large.png?w=5000&h=5000&fit=fill&median=15&dilate=30&erode=30&clahe=100&blur=100', 'large.png?trim=255&rot=33', 'large.png?w=5000&f=avif&effort=6&lossless', 'large.png?q=auto&f=avif&w=3000', 'large.png?w=3000&f=webp&effort=6&lossless',
    'thin.png?w=64', 'tall.png?w=64', 'tall.png?rot=90', 'thin.png?rot=45', 'thin.png?trim', 'tall.png?info', 'large.png?w=100&px=256&radius=4096&mask=circle'
  ]
  const { result, seen } = await watch(siege, async () => {
    const answers = []
    for (const path of paths) answers.push([path, await askTimed(siege, `/${path}`)] as const)
    return answers
  })
  for (const [path, answer] of result) {
    t.equal(path.endsWith('info') && answer.status === 200 ? undefined : wrongAnswer(answer, siege.root), undefined, `${path} is ${answer.status} ${answer.code}`)
    t.ok(answer.ms < deadlineMs + 1500 * seen.slowness, `${path} took ${Math.round(answer.ms)} ms`)
  }
  await outlived(t, siege, seen)
})

t.test('an original that was made once is not refused for what somebody else asks of it', async t => {
  const deadlineMs = 1500
  const siege = await besieged(t, { 'large.png': png({ width: 4000, height: 4000 }) }, { images: { mode: 'open' }, work: { deadlineMs, workers: 1 } })
  t.equal((await askTimed(siege, '/large.png?w=64')).status, 200)
  const costly = '/large.png?w=5000&median=15&dilate=30&erode=30&blur=100&f=avif&effort=6'
  t.equal((await askTimed(siege, costly)).status, 422)
  const again = await askTimed(siege, costly)
  t.equal(again.status, 422)
  t.ok(again.ms < deadlineMs, `but that is not tried again: ${Math.round(again.ms)} ms`)
  t.equal((await askTimed(siege, '/large.png?w=65')).status, 200, 'the picture is still made')
})

t.test('more operations than one URL may have are refused', async t => {
  const served = await servedPictures(t, { 'a.png': SMALL }, { images: { mode: 'open', limits: { operations: 3 } } })
  t.equal((await askTimed(served, '/a.png?w=20&h=20&q=50')).status, 200)
  t.match(await askTimed(served, '/a.png?w=20&h=20&q=50&blur=3'), { status: 400, code: 'bad-transform' })
  t.match(await askTimed(served, '/_ipx/w_20,q_50,blur_3,sat_4/a.png'), { status: 400, code: 'bad-transform' })
})

t.test('long and repeating URLs are read in a time that grows with their length alone', async t => {
  const served = await servedPictures(t, { 'a.png': SMALL }, { images: { mode: 'open' } })
  const parts = ['w=1&', '&', '=', 'w', 'a=&', '%20', ',', '1,', '-', ';w=1', 'q=auto&', 'fp-x=.1&', ' '.replace(' ', '+'), 'pos=top,', '%F0%9F%98%80']
  for (const part of parts) {
    const long = part.repeat(Math.floor(14_000 / part.length))
    for (const path of [`/a.png?${long}`, `/a.png?w=${long}`, `/a.png?w=1&crop=${long}`, `/a.png?txt=${long}`, `/a.png?rect=${long}`, `/_ipx/${long.replaceAll('&', ',')}/a.png`, `/_ipx/w_${long}/a.png`, `/a.png?bg=${long}`]) {
      const took = cpuClock()
      const answer = await askTimed(served, path)
      t.ok([200, 400, 404, 414, 422, 431].includes(answer.status), `${path.slice(0, 30)} is ${answer.status}`)
      t.ok(took() < 2000, `${path.slice(0, 30)} took ${Math.round(took())} ms of processor time`)
    }
  }
})

t.test('words on a picture are words: no markup, no fonts or files by name', async t => {
  const served = await servedPictures(t, { 'a.png': SMALL }, { images: { mode: 'open' } })
  for (const text of ['<span font="300">X</span>', '<b>', '&amp;', '&#x41;', '<!ENTITY x SYSTEM "file:///etc/passwd">', '</span><span>', '%s%n%x', '\u0301'.repeat(199), 'ﷺ'.repeat(199), '\ud83d\udc68\u200d\ud83d\udc69\u200d\ud83d\udc67'.repeat(20), '"\'`', 'a\nb']) {
    const answer = await askTimed(served, `/a.png?w=200&txt=${encodeURIComponent(text)}`)
    t.ok([200, 400].includes(answer.status), `${text.slice(0, 20)} is ${answer.status} ${answer.code}`)
  }
  const [plain, marked] = await Promise.all(['&txt=X&txt-size=40', `&txt=${encodeURIComponent('<s>X</s>')}&txt-size=40`].map(async query => await askTimed(served, `/a.png?w=200&enlarge&fit=fill&h=200&f=png${query}`)))
  t.notSame(plain?.body, marked?.body, 'what looks like markup is written out')
})
