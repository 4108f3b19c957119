import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import t from 'tap'
import { packageRoot } from '../../lib/package-root.ts'
import { oneMount, scratch, serveMedia, type Served, type Test } from '../helpers/app.ts'

const CHROMIUM = '/usr/bin/chromium'
const pictures = join(packageRoot, '..', 'shared', 'images')
const needs = (...paths: string[]): { skip: string | false } => {
  const missing = paths.find(path => !existsSync(path))
  return { skip: missing === undefined ? false : `${missing === pictures ? '../shared/images' : missing} is not here` }
}

/** One browser for all tests: each has a context, with storage and cache, of its own. */
let browser: Promise<Browser> | undefined
t.teardown(async () => await (await browser)?.close())

/** A page, and all that it complains of. */
async function openPage (t: Test, options: BrowserContextOptions = {}): Promise<{ page: Page, complaints: string[] }> {
  browser ??= chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
  })
  const context = await (await browser).newContext({ viewport: { width: 1000, height: 700 }, ...options })
  t.teardown(async () => await context.close())
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', message => { if (['error', 'warning'].includes(message.type())) complaints.push(message.text()) })
  page.on('pageerror', error => complaints.push(String(error)))
  page.on('dialog', dialog => { complaints.push(`dialog: ${dialog.message()}`); void dialog.dismiss() })
  page.on('response', response => { if (response.status() >= 400) complaints.push(`${response.status()} ${response.url()}`) })
  await page.addInitScript('addEventListener("securitypolicyviolation", event => console.error("violation of " + event.violatedDirective))')
  return { page, complaints }
}

const rows = (served: Served, from = 0): Array<[path: unknown, status: unknown]> => served.logs.slice(from).filter(line => line.msg === 'request').map(({ path, status }) => [path, status])

/** Waits for every thumbnail, seen or not, and tells the width of each by its file's name. */
async function thumbnailWidths (page: Page): Promise<Record<string, number>> {
  return await page.evaluate(`Promise.all([...document.querySelectorAll('.icon img')].map(async image => {
    image.loading = 'eager'
    await image.decode().catch(() => {})
    return [decodeURIComponent(image.src.split('/').at(-1)), image.naturalWidth]
  })).then(Object.fromEntries)`)
}

const filesOf: Record<string, string[]> = {
  png: ['rgba.png', 'palette.png', 'rgb16.png', 'grey-alpha.png', 'interlaced-photo.png', 'apng-ball.png'],
  jpeg: ['progressive-photo.jpg', 'cmyk-adobe-inverted.jpg', 'grey.jpg', 'restart-444.jpg'],
  webp: ['lossy.webp', 'lossless.webp', 'alpha-lossless.webp', 'anim.webp'],
  gif: ['cogs.gif', 'loop3.gif', 'rotating-squares.gif'],
  svg: ['house.svg', 'rooster.svg', 'vips-logo.svg', 'vips-logo.svgz'],
  avif: ['photo-8bit.avif', 'photo-10bit.avif', 'kimono.avif'],
  ico: ['png-32bpp-alpha.ico'],
  bmp: ['rgb24.bmp']
}

t.test('listings render, and their pictures are decoded, without one complaint', needs(CHROMIUM, pictures), async t => {
  const served = await serveMedia(t, oneMount(pictures, { listing: true }))
  const { page, complaints } = await openPage(t)
  await page.goto(served.url)
  t.equal(await page.locator('tbody.folders tr').count(), 18)
  for (const [folder, names] of Object.entries(filesOf)) {
    await page.goto(served.url)
    await page.getByRole('link', { name: `${folder}/`, exact: true }).click()
    await page.waitForURL(`${served.url}/${folder}/`)
    const widths = await thumbnailWidths(page)
    for (const name of names) t.ok((widths[name] ?? 0) > 0, `${folder}/${name}`)
  }
  t.same(complaints, [])
})

t.test('a reload asks again and is told that nothing changed', needs(CHROMIUM, pictures), async t => {
  const served = await serveMedia(t, oneMount(pictures, { listing: true }))
  const { page, complaints } = await openPage(t)
  await page.goto(`${served.url}/webp/`)
  await thumbnailWidths(page)
  await page.waitForLoadState('networkidle')
  const before = served.logs.length
  await page.reload()
  await thumbnailWidths(page)
  await page.waitForLoadState('networkidle')
  const answers = rows(served, before).filter(([path]) => String(path).startsWith('/webp/'))
  t.same(answers.find(([path]) => path === '/webp/'), ['/webp/', 304])
  for (const name of ['lossy.webp', 'lossless.webp', 'anim.webp']) t.same(answers.find(([path]) => path === `/webp/${name}`), [`/webp/${name}`, 304])
  t.same(answers.filter(([, status]) => status !== 304), [])
  t.same(complaints, [])
})

t.test('a film opens in place, plays and can be sought', needs(CHROMIUM, pictures), async t => {
  const served = await serveMedia(t, oneMount(pictures, { listing: true }))
  const { page, complaints } = await openPage(t)
  await page.goto(`${served.url}/media/`)
  await page.getByRole('link', { name: 'clip.mp4' }).click()
  await page.locator('dialog video').waitFor()
  const seen = await page.evaluate<Record<'middle' | 'after' | 'seekable' | 'duration' | 'width', number>>(`(async () => {
    const video = document.querySelector('dialog video')
    const next = name => new Promise(resolve => video.addEventListener(name, resolve, { once: true }))
    if (video.readyState < 1) await next('loadedmetadata')
    const middle = video.duration / 2
    const sought = next('seeked')
    video.currentTime = middle
    await sought
    const after = video.currentTime
    video.muted = true
    await video.play()
    while (video.currentTime < middle + 0.2) await next('timeupdate')
    video.pause()
    return { middle, after, seekable: video.seekable.end(0), duration: video.duration, width: video.videoWidth }
  })()`)
  t.ok(seen.duration > 1)
  t.equal(seen.seekable, seen.duration)
  t.ok(Math.abs(seen.after - seen.middle) < 0.1)
  t.equal(seen.width, 320)
  t.match(await page.locator('dialog p').textContent(), '320 × 180')
  await page.keyboard.press('Escape')
  await page.locator('dialog video').waitFor({ state: 'detached' })
  t.ok(rows(served).some(([path, status]) => path === '/media/clip.mp4' && status === 206))
  t.same(complaints, [])
})

t.test('pictures open in place, and the arrow keys turn', needs(CHROMIUM, pictures), async t => {
  const served = await serveMedia(t, oneMount(pictures, { listing: true }))
  const { page, complaints } = await openPage(t)
  await page.goto(`${served.url}/gif/`)
  await page.getByRole('link', { name: 'cogs.gif' }).click()
  const dialog = page.getByRole('dialog', { name: 'cogs.gif' })
  await dialog.waitFor()
  t.equal(await dialog.getByRole('link', { name: 'Open the file' }).getAttribute('href'), `${served.url}/gif/cogs.gif`)
  t.equal(await dialog.getByRole('link', { name: 'Download' }).getAttribute('href'), `${served.url}/gif/cogs.gif?download`)
  await page.keyboard.press('ArrowRight')
  await page.getByRole('dialog', { name: 'cramps.gif' }).waitFor()
  await page.locator('dialog p', { hasText: '×' }).waitFor()
  await page.getByRole('button', { name: 'Previous' }).press('Enter')
  await dialog.waitFor()
  await page.getByRole('button', { name: 'Previous' }).press('Enter')
  await page.getByRole('dialog', { name: 'anim-oob.gif' }).waitFor()
  await page.keyboard.press('Escape')
  await page.locator('tbody a:focus', { hasText: 'anim-oob.gif' }).waitFor()
  t.equal(await page.locator('dialog[open]').count(), 0)
  t.same(complaints, [])
})

t.test('a sound opens in place, and a file that is no picture says so', needs(CHROMIUM), async t => {
  const root = await scratch(t, { 'broken.png': 'no picture', 'noise.wav': 'no sound' })
  const served = await serveMedia(t, oneMount(root, { listing: true }))
  const { page, complaints } = await openPage(t)
  await page.goto(served.url)
  await page.locator('.icon.image:empty').waitFor({ state: 'attached' })
  for (const name of ['broken.png', 'noise.wav']) {
    await page.getByRole('link', { name }).click()
    await page.getByText('This browser cannot show the file.').waitFor()
    await page.getByRole('button', { name: 'Close' }).click()
  }
  t.same(complaints, [])
})

t.test('the filter, the order, the view and the arrow keys work by keyboard alone', needs(CHROMIUM), async t => {
  const root = await scratch(t, { 'été à la mer.txt': 'x', 'mer.txt': 'xxx', 'b2.txt': 'x'.repeat(9), 'b10.txt': 'x'.repeat(5000), 'folder/x': '' })
  const served = await serveMedia(t, oneMount(root, { listing: true }))
  const { page, complaints } = await openPage(t)
  await page.goto(served.url)
  const names = async (): Promise<string[]> => await page.locator('tbody tr:visible bdi').allTextContents()
  t.same(await names(), ['folder', 'b2.txt', 'b10.txt', 'été à la mer.txt', 'mer.txt'])
  await page.keyboard.press('/')
  await page.keyboard.type('MER ete')
  t.same(await names(), ['été à la mer.txt'])
  t.equal(await page.getByRole('status').textContent(), '1 of 5 shown')
  await page.keyboard.press('Control+a')
  await page.keyboard.type('<b>')
  t.equal(await page.locator('p.empty').textContent(), 'No name here contains “<b>”.')
  await page.keyboard.press('Escape')
  t.equal((await names()).length, 5)

  await page.getByRole('button', { name: 'Size' }).press('Enter')
  t.same(await names(), ['folder', 'été à la mer.txt', 'mer.txt', 'b2.txt', 'b10.txt'])
  await page.getByRole('button', { name: 'Size' }).press('Enter')
  t.same(await names(), ['folder', 'b10.txt', 'b2.txt', 'mer.txt', 'été à la mer.txt'])
  t.equal(await page.getByRole('columnheader', { name: 'Size' }).getAttribute('aria-sort'), 'descending')

  await page.getByRole('button', { name: 'Show as cards' }).press('Enter')
  await page.reload()
  t.equal(await page.locator('html').getAttribute('data-view'), 'grid', 'the choice is remembered')
  t.equal(await page.getByRole('row').count(), 6, 'cards are still rows of a table')
  await page.getByRole('searchbox').press('ArrowDown')
  for (const [key, name] of [['ArrowDown', 'b2.txt'], ['ArrowRight', 'b10.txt'], ['End', 'mer.txt'], ['ArrowUp', 'folder/'], ['Home', 'folder/']] as const) {
    await page.keyboard.press(key)
    t.equal(await page.evaluate('document.activeElement.textContent'), name, key)
  }
  t.same(complaints, [])
})

t.test('hostile names run nothing, and every link leads to its file', needs(CHROMIUM), async t => {
  const names = ['<script>alert(1)<', '"><img src=x onerror=alert(1)>.png', '\' onfocus=\'alert(1)', 'a#b?c=d.txt', '100%.txt', '%2e%2e', 'javascript:alert(1)', '  two  spaces', 'ünï ☃ 日本語', '&amp;']
  const root = await scratch(t, Object.fromEntries(names.map(name => [name, name])))
  const served = await serveMedia(t, oneMount(root, { prefix: '/files', listing: true }))
  const { page, complaints } = await openPage(t)
  await page.goto(`${served.url}/files/`)
  t.same((await page.locator('tbody bdi').allTextContents()).toSorted(), names.toSorted())
  const links = await page.evaluate<Array<[name: string, href: string]>>('[...document.querySelectorAll("tbody a")].map(link => [link.querySelector("bdi").textContent, link.href])')
  for (const [name, href] of links) t.equal(await (await fetch(href)).text(), name)
  await page.locator('a[data-preview]').click()
  await page.getByRole('dialog', { name: '"><img' }).waitFor()
  t.same(complaints, [])
})

t.test('without a script a listing is a table of links that work, below any prefix', needs(CHROMIUM), async t => {
  const root = await scratch(t, { 'a folder/inner/file.txt': 'here', 'picture.svg': '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>' })
  const served = await serveMedia(t, oneMount(root, { prefix: '/files', listing: true }), { prefix: '/outer' })
  const { page, complaints } = await openPage(t, { javaScriptEnabled: false })
  await page.goto(`${served.url}/outer/files/`)
  t.equal(await page.getByRole('searchbox').count(), 0)
  await page.getByRole('link', { name: 'a folder/' }).click()
  await page.getByRole('link', { name: 'inner/' }).click()
  await page.waitForURL(`${served.url}/outer/files/a%20folder/inner/`)
  await page.getByRole('link', { name: 'Up to the parent folder' }).click()
  await page.waitForURL(`${served.url}/outer/files/a%20folder/`)
  await page.getByRole('link', { name: 'inner/' }).click()
  await page.waitForURL(`${served.url}/outer/files/a%20folder/inner/`)
  t.same(complaints, [])
  await page.getByRole('link', { name: 'file.txt' }).click()
  t.equal(await page.locator('body').textContent(), 'here')
})

t.test('a listing fits a narrow screen, light and dark, in either view', needs(CHROMIUM), async t => {
  const root = await scratch(t, { [`${'long'.repeat(50)}.txt`]: 'x', 'a/b': '', 'picture.svg': '<svg xmlns="http://www.w3.org/2000/svg" width="900" height="9"/>' })
  const served = await serveMedia(t, oneMount(root, { listing: true }))
  const { page } = await openPage(t, { viewport: { width: 320, height: 600 } })
  await page.goto(served.url)
  const backgrounds = new Set<unknown>()
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    backgrounds.add(await page.evaluate('getComputedStyle(document.documentElement).backgroundColor'))
    for (const name of ['Show as a table', 'Show as cards']) {
      await page.getByRole('button', { name }).click()
      t.equal(await page.evaluate('document.documentElement.scrollWidth'), 320, `${colorScheme}, ${name}`)
    }
  }
  t.equal(backgrounds.size, 2)
})

t.test('every picture is shown in the size and format that the browser takes', needs(CHROMIUM, pictures), async t => {
  // What browsers know as pictures, and the engine decodes: the manifest tells.
  const { files } = JSON.parse(await readFile(join(pictures, 'MANIFEST.json'), 'utf8')) as { files: Array<{ file: string, sharpDecode?: string, format?: string }> }
  const shown = files.filter(({ file, sharpDecode }) => sharpDecode === 'ok' && !/\.(?:svgz|bmp|ico)$/.test(file)).map(({ file }) => file)
  t.ok(shown.length > 250, `${shown.length} pictures`)
  const root = await scratch(t, { 'index.html': `<!doctype html><link rel="icon" href="data:,">${shown.map(file => `<img src="/p/${file.split('/').map(encodeURIComponent).join('/')}?w=320&f=auto">`).join('')}` })
  const cache = join(await scratch(t), 'cache')
  const served = await serveMedia(t, {
    sources: { pictures: { driver: 'file', root: pictures }, site: { driver: 'file', root } },
    mounts: [{ source: 'site' }, { prefix: '/p', source: 'pictures' }],
    images: { cache: { directory: cache } }
  })
  const { page, complaints } = await openPage(t)
  await page.goto(served.url, { waitUntil: 'load', timeout: 120_000 })
  const blank = await page.evaluate('[...document.images].filter(image => !image.complete || image.naturalWidth === 0 || image.naturalWidth > 320).map(image => decodeURIComponent(image.src))')
  t.strictSame(blank, [])
  t.strictSame(complaints, [])
  const types = await page.evaluate('Promise.all([...document.images].map(async image => (await fetch(image.src, { headers: { accept: "image/avif,image/webp,*/*" } })).headers.get("content-type"))).then(all => [...new Set(all)].sort())')
  t.strictSame(types, ['image/avif', 'image/webp'])
})
