import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import sharp, { type Sharp } from 'sharp'
import { oneMount, scratch, serveMedia, type Served, type Test } from './app.ts'

/** A picture with some detail everywhere, so that formats and qualities differ in size. */
export async function drawn (width: number, height: number, options: { alpha?: boolean } = {}): Promise<Sharp> {
  const channels = options.alpha === true ? 4 : 3
  const pixels = Buffer.alloc(width * height * channels)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * channels
      pixels[at] = Math.round(255 * x / width)
      pixels[at + 1] = Math.round(255 * y / height)
      pixels[at + 2] = 128 + Math.round(100 * Math.sin(x / 7) * Math.cos(y / 5))
      if (channels === 4) pixels[at + 3] = x < width / 4 ? 0 : 255
    }
  }
  return sharp(pixels, { raw: { width, height, channels } })
}

/** Files for a mount: a photo, a transparent picture, an animation, a drawing, a text. */
export async function picturesToServe (): Promise<Record<string, Buffer | string>> {
  const frame = async (colour: string): Promise<Buffer> => await sharp({ create: { width: 64, height: 48, channels: 3, background: colour } }).png().toBuffer()
  return {
    'cat.jpg': await (await drawn(800, 600)).jpeg({ quality: 90 }).toBuffer(),
    'logo.png': await (await drawn(400, 300, { alpha: true })).png().toBuffer(),
    'film.gif': await sharp(await Promise.all([frame('red'), frame('lime'), frame('blue')]), { join: { animated: true } }).gif({ delay: [100, 200, 300], loop: 2 }).toBuffer(),
    'drawing.svg': '<svg xmlns="http://www.w3.org/2000/svg" width="100" height="50"><rect width="100" height="50" fill="teal"/><circle cx="50" cy="25" r="20" fill="white"/></svg>',
    'notes.txt': 'no picture',
    'broken.jpg': Buffer.from('ffd8ffe000104a46494600010100000100010000ffdb', 'hex')
  }
}

/** A server of one mount with pictures, and a variant cache of its own. */
export async function serveImages (t: Test, images: Record<string, unknown> = {}, options: { mount?: Record<string, unknown>, work?: Record<string, unknown>, files?: Record<string, Buffer | string>, cache?: string } = {}): Promise<Served & { root: string, cache: string }> {
  const root = await scratch(t, options.files ?? await picturesToServe())
  await wait(60) // files that were just written may change without a trace, and have variants of their own
  const cache = options.cache ?? join(await scratch(t), 'cache')
  const served = await serveMedia(t, oneMount(root, { images, ...options.mount }, {}, { images: { ...options.work, cache: { directory: cache, ...options.work?.cache as object } } }))
  return { ...served, root, cache }
}
