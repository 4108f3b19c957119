import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import type { OutputFormat } from '../../lib/image/format.ts'
import { inputFormats } from '../../lib/image/format.ts'
import type { ImageResult, JobLimits, OpenInput } from '../../lib/image/job.ts'
import { runJob } from '../../lib/image/pipeline/pipeline.ts'
import { packageRoot } from '../../lib/package-root.ts'
import { operations, operationsByName, type Operation } from '../../lib/transform/operations.ts'
import { canonical, type Transform } from '../../lib/transform/transform.ts'

/** Bounds that no picture of the tests meets by chance. */
export const limits: JobLimits = { inputPixels: 50_000_000, outputPixels: 25_000_000, framePixels: 50_000_000, dimension: 8192, inputs: inputFormats }

/** Bytes as an input of the worker. */
export function input (bytes: Buffer, path?: string): OpenInput {
  return { path, size: bytes.length, head: async length => bytes.subarray(0, length), bytes: async () => bytes }
}

/** The transform of a query in the names of the table. */
export function transformOf (query: string): Transform {
  const values: Record<string, unknown> = {}
  for (const [spelling, text] of new URLSearchParams(query)) {
    const name = operationsByName.get(spelling)
    if (name === undefined) throw new RangeError(`No operation ${spelling}`)
    values[name] = (operations[name] as unknown as Operation<unknown>).argument.read(text)
  }
  return canonical(values)
}

export interface Asked {
  format?: OutputFormat
  mark?: Buffer
  limits?: Partial<JobLimits>
  signal?: AbortSignal
  path?: string
}

/** Makes a variant in this process. */
export async function make (original: Buffer, query: string, { format = 'png', mark, limits: own = {}, signal = new AbortController().signal, path }: Asked = {}): Promise<ImageResult> {
  const inputs = [input(original, path), ...(mark === undefined ? [] : [input(mark)])]
  return await runJob({ kind: 'variant', transform: transformOf(query), format, limits: { ...limits, ...own } }, inputs, signal)
}

/** Samples of a picture, 8 bits each. */
export interface Raster {
  readonly width: number
  readonly height: number
  readonly channels: number
  readonly data: Uint8Array
}

export async function raster (bytes: Buffer, page = 0): Promise<Raster> {
  const { data, info } = await sharp(bytes, { page }).raw().toBuffer({ resolveWithObject: true })
  return { width: info.width, height: info.height, channels: info.channels, data }
}

export async function madeRaster (original: Buffer, query: string, asked: Asked = {}): Promise<Raster> {
  return await raster((await make(original, query, asked)).bytes)
}

export type Pixel = readonly number[]

export function pixel ({ width, channels, data }: Raster, x: number, y: number): Pixel {
  return [...data.subarray((y * width + x) * channels, (y * width + x + 1) * channels)]
}

/** A picture by a function of its pixels. */
export function rasterOf (width: number, height: number, at: (x: number, y: number) => Pixel): Raster {
  const channels = at(0, 0).length
  const data = new Uint8Array(width * height * channels)
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data.set(at(x, y).map(sample => Math.min(255, Math.max(0, Math.round(sample)))), (y * width + x) * channels)
  return { width, height, channels, data }
}

/** A raster in a file, without loss. */
export async function file ({ width, height, channels, data }: Raster): Promise<Buffer> {
  return await sharp(data, { raw: { width, height, channels: channels as 3 } }).png({ compressionLevel: 1 }).toBuffer()
}

/** Mean difference of the samples two rasters have in common; infinite where their sizes differ. */
export function difference (one: Raster, other: Raster): number {
  if (one.width !== other.width || one.height !== other.height) return Number.POSITIVE_INFINITY
  let sum = 0
  for (let y = 0; y < one.height; y++) {
    for (let x = 0; x < one.width; x++) {
      const [a, b] = [pixel(one, x, y), pixel(other, x, y)]
      for (let channel = 0; channel < 3; channel++) sum += Math.abs((a[Math.min(channel, a.length - 1)] ?? 0) - (b[Math.min(channel, b.length - 1)] ?? 0))
    }
  }
  return sum / (one.width * one.height * 3)
}

/** The pictures that are kept beside the project. */
const pictures = join(packageRoot, '../shared/images')

/** For `t.test`: why a test with a real picture cannot run here. */
export const withoutPictures = existsSync(pictures) ? false : 'the real pictures are not here'

export function pictureAt (name: string): string {
  return join(pictures, name)
}

export function picture (name: string): Buffer {
  return readFileSync(pictureAt(name))
}
