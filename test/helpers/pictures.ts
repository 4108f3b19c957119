import { existsSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp, { type Sharp } from 'sharp'
import type { OpenInput } from '../../lib/image/job.ts'
import { packageRoot } from '../../lib/package-root.ts'

const directory = join(packageRoot, '../shared/images')

/** For `t.test(name, { skip: noPictures }, …)`: false where the real pictures are there, else the reason. */
export const noPictures: string | false = existsSync(join(directory, 'MANIFEST.json')) ? false : 'the real pictures (../shared/images) are not there'

/** A real picture, as its manifest describes it. */
export interface RealPicture {
  readonly file: string
  readonly sharpDecode: string
  readonly width?: number
  readonly height?: number
}

/** All real pictures; none where they are not there. */
export function realPictures (): readonly RealPicture[] {
  if (noPictures !== false) return []
  return (JSON.parse(readFileSync(join(directory, 'MANIFEST.json'), 'utf8')) as { files: RealPicture[] }).files
}

/** Where a real picture lies. */
export function realPath (file: string): string {
  return join(directory, file)
}

/** A real picture's bytes. */
export async function realBytes (file: string): Promise<Buffer> {
  return await readFile(realPath(file))
}

/** Bytes as an image worker sees an input that was sent to it. */
export function inputOf (bytes: Buffer): OpenInput {
  return {
    path: undefined,
    size: bytes.length,
    head: async length => bytes.subarray(0, length),
    bytes: async () => bytes
  }
}

/** A picture with soft and hard parts, the same each time: a gradient, a grid, a disc and a corner to tell which way is up. */
export function drawn (width: number, height: number, channels: 3 | 4 = 3): Sharp {
  const pixels = Buffer.alloc(width * height * channels)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * channels
      const isDisc = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (Math.min(width, height) / 4) ** 2
      const isCorner = x < width / 4 && y < height / 4
      const isGrid = x % 16 === 0 || y % 16 === 0
      pixels[at] = isCorner ? 255 : isGrid ? 40 : 255 * x / width
      pixels[at + 1] = isCorner ? 0 : isDisc ? 200 : 255 * y / height
      pixels[at + 2] = isCorner ? 0 : isDisc ? 220 : (x * 7 + y * 13) % 64 + 90
      if (channels === 4) pixels[at + 3] = isDisc ? 255 : 255 * x / width
    }
  }
  return sharp(pixels, { raw: { width, height, channels } })
}

/** An animation of plain frames. */
export async function animation (format: 'gif' | 'webp', delays: readonly number[], { width = 40, height = 30, loop = 0 } = {}): Promise<Buffer> {
  const frames = await Promise.all(delays.map((_, n) => sharp({ create: { width, height, channels: 3, background: { r: 30 * n % 256, g: 90, b: 200 } } }).png().toBuffer()))
  return await sharp(frames, { join: { animated: true } }).toFormat(format, { delay: [...delays], loop }).toBuffer()
}
