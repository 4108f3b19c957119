import type { Sharp } from 'sharp'
import { findQuality } from './auto-quality.ts'
import { inWorkingColours } from './colour.ts'
import { encoderOptions } from './encoders.ts'
import { copyrightOf } from './metadata.ts'
import { frameOf, opaque, settle } from './picture.ts'
import { rendered } from './rendering.ts'
import type { Step, Work } from './work.ts'

/** Encodes the variant, with what stays of the metadata. */
export const encode: Step = async work => {
  const searched = work.job.transform.q === 'auto' ? await search(work) : { work }
  const ready = await withoutOrientation(searched.work)
  const { transform } = ready.job
  const quality = transform.q === 'auto' ? searched.quality : transform.q
  const image = opaque(ready.picture, inWorkingColours(ready))
  const { data } = await rendered(inFormat(ready, withMetadata(ready, image), quality))
  return { ...ready, result: { bytes: data, quality: transform.q === 'auto' ? quality : undefined } }
}

/** Pixels are made once, and encoded as often as the search needs. */
async function search (work: Work): Promise<{ work: Work, quality?: number | undefined }> {
  const { job: { format, transform }, signal } = work
  if (transform.lossless === true) return { work }
  const settled = await settle(work)
  const sample = await sampleOf(settled)
  const quality = await findQuality(sample, format, { signal, encode: (image, tried) => inFormat({ ...settled, picture: { ...settled.picture, frames: 1 } }, image, tried) })
  return { work: settled, quality }
}

/** The first frame. */
async function sampleOf (work: Work): Promise<Parameters<typeof findQuality>[0]> {
  const frame = frameOf(work.picture, 0)
  if (frame !== undefined) return { ...frame, ...work.picture.size }
  const { data, info } = await rendered(work.picture.image.clone().raw({ depth: 'uchar' }))
  return { bytes: data, channels: info.channels, width: info.width, height: info.height }
}

/** Kept EXIF, and AVIF with none too, would say how the original lay: pixels that were settled no longer know. */
async function withoutOrientation (work: Work): Promise<Work> {
  if (work.original.orientation === 1) return work
  return work.job.format === 'avif' || keepsCopyright(work) ? await settle(work, 'raw') : work
}

function keepsCopyright ({ job: { transform }, original }: Work): boolean {
  return transform.meta === undefined && copyrightOf(original.exif) !== undefined
}

function withMetadata (work: Work, image: Sharp): Sharp {
  const { meta = 'copyright' } = work.job.transform
  if (meta === 'all') return image.keepExif().keepXmp()
  const copyright = meta === 'copyright' ? copyrightOf(work.original.exif) : undefined
  return copyright === undefined ? image : image.withExif(copyright)
}

function inFormat ({ job: { format, transform }, original, picture }: Work, image: Sharp, quality: number | undefined): Sharp {
  const options = encoderOptions(format, {
    quality,
    lossless: transform.lossless,
    effort: transform.effort,
    progressive: transform.progressive,
    subsampling: transform.chromasub
  })
  const animation = picture.frames > 1 ? { delay: [...original.delay ?? []], loop: original.loop ?? 0 } : {}
  return image.toFormat(format, { ...options, ...animation })
}
