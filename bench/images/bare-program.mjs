import { join } from 'node:path'
import { createInterface } from 'node:readline'
import sharp from 'sharp'
import { encoderOptions, resizeOptions } from '../../dist/lib/image/pipeline/encoders.js'

/** `node bare-program.mjs ROOT`: makes the pictures of each line of its input, one after another, and answers with a line. */

const root = process.argv[2]
sharp.concurrency(1)
sharp.cache(false)

for await (const line of createInterface({ input: process.stdin })) {
  const { paths, format, bare, animated } = JSON.parse(line)
  for (const path of paths) await make(join(root, path), { format, bare, animated })
  process.stdout.write('made\n')
}

/** The best that was found: a profile is applied when fewer pixels are left (ADR 0012). */
async function make (file, { format, bare, animated }) {
  const { icc, space, format: from, autoOrient: { width, height } } = await sharp(file).metadata()
  const isLate = icc !== undefined && space === 'srgb'
  let image = sharp(file, { sequentialRead: true, animated, ignoreIcc: isLate })
  if (!animated) image = image.autoOrient()
  if (bare !== undefined) {
    const shrink = Math.min(width / bare.width, height / (bare.height ?? 0))
    image = image.resize({ ...resizeOptions({ format, shrink }, from === 'jpeg'), ...bare })
  }
  if (isLate) image = image.withIccProfile('srgb', { attach: false })
  return await image.toFormat(format, encoderOptions(format)).toBuffer()
}
