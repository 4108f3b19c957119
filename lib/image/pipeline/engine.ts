import { createRequire } from 'node:module'
import type Sharp from 'sharp'
import type { FormatEnum } from 'sharp'
import type { InputFormat, OutputFormat } from '../format.ts'
import type { Engine } from '../workers/worker-messages.ts'

/**
 * sharp, loaded as CommonJS: imported as a module it takes 9 MB of memory and 50 ms more of
 * each worker, for reading CommonJS' exports ahead. Only for image workers.
 */
export const sharp = createRequire(import.meta.url)('sharp') as typeof Sharp

/** What an engine's own name for a loader stands for, and the file that shows that it reads the kind we mean. */
const loaders: Readonly<Record<InputFormat, [name: keyof FormatEnum, suffix: string]>> = {
  jpeg: ['jpeg', '.jpg'],
  png: ['png', '.png'],
  webp: ['webp', '.webp'],
  gif: ['gif', '.gif'],
  avif: ['heif', '.avif'],
  tiff: ['tiff', '.tif'],
  svg: ['svg', '.svg'],
  heic: ['heif', '.avif'] // with AV1 inside; other kinds are refused by name
}

/** What the installed engine reads and writes. */
export function engineOf ({ format }: Pick<typeof Sharp, 'format'>): Engine {
  const inputs: InputFormat[] = []
  const outputs: OutputFormat[] = []
  for (const [ours, [name, suffix]] of Object.entries(loaders) as Array<[InputFormat, [keyof FormatEnum, string]]>) {
    const { input, output } = format[name]
    if (input.buffer && (input.fileSuffix ?? []).includes(suffix)) inputs.push(ours)
    if (output.buffer && ours !== 'svg' && ours !== 'heic') outputs.push(ours)
  }
  return { inputs, outputs }
}
