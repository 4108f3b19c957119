import { join } from 'node:path'
import sharp from 'sharp'
import { ssim } from '../../dist/lib/image/pipeline/ssim.js'

/** How alike a variant is to the best that can be made: its original, decoded whole and scaled once, without loss. */

/** @throws {Error} where an answer is not the picture that was asked for */
export async function checkAnswer ({ url, status, headers, body }, { format, width }) {
  if (status !== 200) throw new Error(`${url}: Expected status 200 but received ${status}: ${body.toString('utf8', 0, 300)}`)
  if (headers['content-type'] !== `image/${format}`) throw new Error(`${url}: Expected image/${format} but received ${headers['content-type']}`)
  const found = await sharp(body).metadata()
  const made = found.compression === 'av1' ? 'avif' : found.format
  if (made !== format || (width !== undefined && found.width !== width)) throw new Error(`${url}: Expected ${format} of ${width} pixels but received ${made} of ${found.width}`)
}

/** @returns {(answers: Array<{ body: Buffer }>, target: { width: number }) => Promise<number>} the mean SSIM of luma over the pictures */
export function likenessTo (root, names) {
  const whole = new Map()
  const references = new Map()

  async function referenceOf (name, width) {
    const key = `${name} ${width}`
    if (!references.has(key)) {
      if (!whole.has(name)) whole.set(name, await pixelsOf(sharp(join(root, 'originals', name)).autoOrient()))
      const { data, info } = whole.get(name)
      references.set(key, await lumaOf(sharp(data, { raw: info }).resize({ width })))
    }
    return references.get(key)
  }

  return async function likeness (answers, { width }) {
    let sum = 0
    for (const [place, { body }] of answers.entries()) {
      const reference = await referenceOf(names[place], width)
      const made = await lumaOf(sharp(body))
      sum += ssim(made.luma, reference.luma, { width: made.width, height: made.height })
    }
    return sum / answers.length
  }
}

async function pixelsOf (image) {
  const { data, info: { width, height, channels } } = await image.removeAlpha().toColourspace('srgb').raw().toBuffer({ resolveWithObject: true })
  return { data, info: { width, height, channels } }
}

/** ITU-R BT.601, as JPEG and WebP have it. */
async function lumaOf (image) {
  const { data, info: { width, height, channels } } = await pixelsOf(image)
  const luma = new Uint8Array(width * height)
  for (let pixel = 0, at = 0; pixel < luma.length; pixel++, at += channels) {
    luma[pixel] = Math.round(0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2])
  }
  return { luma, width, height }
}
