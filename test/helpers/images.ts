import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import sharp from 'sharp'
import { oneMount, scratch, serveMedia, type Served, type Test } from './app.ts'
import { drawn } from './pictures.ts'

/** Files for a mount: a photo, a transparent picture, an animation, a drawing, a text. */
export async function picturesToServe (): Promise<Record<string, Buffer | string>> {
  const frame = async (colour: string): Promise<Buffer> => await sharp({ create: { width: 64, height: 48, channels: 3, background: colour } }).png().toBuffer()
  return {
    'cat.jpg': await drawn(800, 600).jpeg({ quality: 90 }).toBuffer(),
    'logo.png': await drawn(400, 300, 4).png().toBuffer(),
    'film.gif': await sharp(await Promise.all([frame('red'), frame('lime'), frame('blue')]), { join: { animated: true } }).gif({ delay: [100, 200, 300], loop: 2 }).toBuffer(),
    'drawing.svg': '<svg xmlns="http://www.w3.org/2000/svg" width="100" height="50"><rect width="100" height="50" fill="teal"/><circle cx="50" cy="25" r="20" fill="white"/></svg>',
    'notes.txt': 'no picture',
    'broken.jpg': Buffer.from('ffd8ffe000104a46494600010100000100010000ffdb', 'hex')
  }
}

/** A server of one mount with pictures, and a variant cache of its own. */
export async function serveImages (t: Test, images: Record<string, unknown> = {}, { mount, work, files, cache: directory, rest }: { mount?: Record<string, unknown>, work?: Record<string, unknown>, files?: Record<string, Buffer | string>, cache?: string, rest?: Record<string, unknown> } = {}): Promise<Served & { root: string, cache: string }> {
  const root = await scratch(t, files ?? await picturesToServe())
  await wait(60) // files that were just written may change without a trace, and have variants of their own
  const cache = directory ?? join(await scratch(t), 'cache')
  const served = await serveMedia(t, oneMount(root, { images, ...mount }, {}, { ...rest, images: { ...work, cache: { directory: cache, ...work?.cache as object } } }))
  return { ...served, root, cache }
}

/** The files of all variants that are kept below a directory. */
export function variantFiles (directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(name => /(?:^|\/)variants\/..\/[\w-]{43}$/.test(name)).map(name => join(directory, name))
}
