import { createHash } from 'node:crypto'
import type { VariantKey } from '../cache/store.ts'
import type { EntityTag } from '../http/entity-tag.ts'
import type { Representation } from '../representation.ts'
import type { FoundFile } from '../sources/source.ts'
import { transformText, type Transform } from '../transform/transform.ts'
import { engineVersion } from './engine-version.ts'
import { animatedFormats } from './negotiate.ts'
import { mediaTypes, type OutputFormat } from './format.ts'
import type { ImageJob, JobLimits } from './job.ts'
import type { HeaderFacts } from './sniff.ts'

/** Raised whenever the pipeline makes other bytes of the same request: variants made before are no longer found. */
export const PIPELINE_VERSION = 1

/** An original of one mount. */
export interface Original {
  /** The URL path by which it is known, and purged: `/photos/cat.jpg`. */
  readonly path: string
  /** The names by which it is purged: its path, and that by which its source knows the file where it is another. */
  readonly tags: readonly string[]
  /** As its source tells it. */
  readonly revision: string
  /** Bytes, where they are known. */
  readonly size: number | undefined
  readonly facts: HeaderFacts
  /** Changes with every purge that reaches it. */
  readonly generation: string
}

/** A variant as it would be, before any pixel. */
export interface Variant {
  readonly key: VariantKey
  readonly entityTag: EntityTag
  readonly type: string
  readonly job: ImageJob
  readonly original: Original
}

/** The files that a variant is made of. */
export interface Ingredients {
  readonly original: FoundFile
  /** The overlay that the transform names. */
  readonly overlay?: FoundFile | undefined
}

/** A variant, and what it is made of. */
export interface Makeable {
  readonly variant: Variant
  readonly from: Ingredients
}

/** What a variant is made from beside its original. */
export interface VariantRequest {
  readonly transform: Transform
  /** `json` for what `?info` tells. */
  readonly format: OutputFormat | 'json'
  readonly limits: JobLimits
  readonly gps?: boolean
}

/** What is known of an original beside its file. */
export type Known = Pick<Original, 'path' | 'tags' | 'facts' | 'generation'>

/**
 * Describes a variant. Its key holds all that makes its bytes what they are; its entity tag
 * leaves out what differs between machines that hold the same original.
 */
export function variantOf (known: Known, { original: found, overlay }: Ingredients, request: VariantRequest): Variant {
  const { format, limits, gps = false } = request
  const original: Original = { ...known, revision: found.revision, size: found.representation.size }
  const job: ImageJob = format === 'json'
    ? { kind: 'info', gps, limits }
    : { kind: 'variant', transform: settled(request.transform, format, known.facts), format, limits }
  const meaning = JSON.stringify([
    PIPELINE_VERSION, engineVersion, known.path, format, known.generation,
    job.kind === 'info' ? gps : transformText(job.transform),
    validatorOf(found), overlay === undefined ? '' : validatorOf(overlay)
  ])
  const young = isYoung(found) ? 'young' : ''
  return {
    key: digest(`${meaning}\n${found.revision}\n${overlay?.revision ?? ''}\n${young}`) as VariantKey,
    entityTag: `"${digest(meaning).slice(0, 27)}"`,
    type: format === 'json' ? 'application/json; charset=utf-8' : mediaTypes[format],
    job,
    original
  }
}

/**
 * Milliseconds after a change within which a second change may have the same time: the tick of
 * local file systems is 4 to 10 ms. A variant made then has a key of its own.
 */
const TICK_MS = 50

/** Whether an original may still change without its revision telling. */
export function isYoung ({ changed }: FoundFile): boolean {
  return Math.abs(Date.now() - changed) < TICK_MS
}

/** Without what changes nothing once the format is known. */
function settled (transform: Transform, format: OutputFormat, facts: HeaderFacts): Transform {
  const { f: _format, ...rest } = transform
  const left: Record<string, unknown> = rest
  if (transform.f === 'auto' && format === 'avif' && typeof transform.q === 'number') left.q = avifQuality(transform.q)
  if (format === 'png' || format === 'gif') delete left.q
  if (format !== 'webp' && format !== 'avif') delete left.lossless
  if (format !== 'jpeg' && format !== 'avif') delete left.chromasub
  if (format !== 'jpeg' && format !== 'png') delete left.progressive
  if (facts.frames === undefined || facts.frames === 1 || !animatedFormats.has(format)) delete left.animated
  return Object.freeze(left)
}

/**
 * Who lets the format be negotiated means quality on the scale of JPEG and WebP: that of AVIF
 * looks alike at lower numbers (docs/adr/0012: 52 as JPEG at 80).
 */
function avifQuality (quality: number): number {
  return Math.max(1, Math.round(quality <= 80 ? quality * 0.65 : 52 + (quality - 80) * 2.4))
}

function validatorOf ({ representation, revision }: FoundFile): string {
  return validators(representation) ?? revision
}

function validators ({ entityTag, lastModified }: Representation): string | undefined {
  if (entityTag?.startsWith('W/') === false) return entityTag
  return entityTag === undefined && lastModified === undefined ? undefined : `${entityTag} ${lastModified}`
}

function digest (text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
