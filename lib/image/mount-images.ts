import type { IncomingHttpHeaders } from 'node:http'
import { originalTag } from '../cache/purge-tags.ts'
import { StoreFault, type VariantKey } from '../cache/store.ts'
import { MediaError } from '../errors.ts'
import type { Representation } from '../representation.ts'
import type { FoundFile } from '../sources/source.ts'
import type { Asked } from '../transform/asked.ts'
import { admit, type TransformPolicy } from '../transform/limits.ts'
import type { Transform } from '../transform/transform.ts'
import type { Deriver, MakeOptions, Priority } from './deriver.ts'
import { mediaTypes, type OutputFormat } from './format.ts'
import { HINT_FIELDS, hintedValues } from './hints.ts'
import type { JobLimits } from './job.ts'
import { naturalFormat, negotiateFormat, type Nature } from './negotiate.ts'
import { headerFacts } from './originals.ts'
import { Readings, type Plan, type Reading, type ReadingOptions } from './reading.ts'
import type { HeaderFacts } from './sniff.ts'
import { keptRepresentation, unmadeRepresentation, type Maker } from './variant-representation.ts'
import { isYoung, variantOf, type Original, type Variant } from './variant.ts'

/** What one mount allows. */
export interface ImagePolicy {
  readonly reading: ReadingOptions
  readonly transforms: TransformPolicy
  readonly limits: JobLimits & { readonly inputBytes: number, readonly deadlineMs?: number | undefined }
  /** What `f=auto` chooses from, the best first. */
  readonly formats: readonly OutputFormat[]
  readonly upgrade: boolean
  readonly clientHints: boolean
  readonly info: boolean
  readonly gps: boolean
}

/** What serves all mounts. */
export interface ImageParts {
  readonly deriver: Deriver
  /** The overlay of a name. @throws {MediaError} `bad-transform` where it is not there */
  readonly overlay: (name: string) => Promise<FoundFile>
  readonly purges: {
    /** Another number after every purge. */
    readonly version: number
    /** Another text after every purge that reaches one of the tags. */
    generationOf (tags: readonly string[]): string
  }
}

/** What is asked of an original, however it was spelled. */
export type Asking = Pick<Reading, 'asked' | 'path'>

/** A variant as one request gets it. */
export interface Described {
  readonly representation: Representation
  /** Whether better bytes are being made: this answer is to be kept for a short time only. */
  readonly provisional: boolean
}

/** Plans of one reading: whoever sends ever new `Accept` fields pushes against it. */
const MAX_PLANS = 32

/** The variants of one mount: from URLs to representations. */
export class MountImages {
  readonly #policy: ImagePolicy
  readonly #open: () => Promise<ImageParts>
  readonly #lane: string
  readonly #readings: Readings

  /**
   * @param prefix that of the mount, as clients see it
   * @param open gives the same parts each time; called when a variant is first asked for
   */
  constructor (prefix: string, policy: ImagePolicy, open: () => Promise<ImageParts>) {
    this.#policy = policy
    this.#open = open
    this.#lane = prefix
    this.#readings = new Readings(prefix, policy.reading)
  }

  /** What a request target asks; undefined where it means a file as it is. @throws as `Readings.of` */
  read (target: string): Reading | undefined {
    return this.#readings.of(target)
  }

  /**
   * The variant that a request gets of an original, not made yet. Without waiting, where it
   * was described before and lies in memory.
   *
   * @throws {MediaError} `bad-transform`, `forbidden`, `unsupported-image`
   */
  describe (reading: Reading, found: FoundFile, headers: IncomingHttpHeaders): Described | Promise<Described> {
    const chosenBy = this.#chosenBy(reading, headers)
    const plan = reading.plans.get(chosenBy)
    if (plan !== undefined && plan.original === found.representation && plan.version === plan.parts.purges.version && !plan.isFleeting) return this.#answer(plan)
    return this.#planned(reading, found, headers).then(async fresh => {
      if (reading.plans.size >= MAX_PLANS) reading.plans.clear()
      reading.plans.set(chosenBy, fresh)
      return await this.#answer(fresh)
    })
  }

  /** What of a request decides which variant it gets. */
  #chosenBy ({ asked: { values, preset } }: Reading, headers: IncomingHttpHeaders): string {
    const accept = values.f === 'auto' || preset !== undefined ? headers.accept ?? '' : ''
    return this.#policy.clientHints ? `${accept}\n${JSON.stringify(hintedValues(values, headers, this.#policy.transforms.widths))}` : accept
  }

  /**
   * The transform that is made of what is asked, within what this mount allows.
   *
   * @throws {MediaError} `bad-transform`, `forbidden`, `image-too-large`
   */
  admitted (asked: Asked, headers: IncomingHttpHeaders = {}): Transform {
    if (asked.info && !this.#policy.info) throw new MediaError('forbidden', { detail: 'This mount does not tell what its pictures are' })
    // Where presets alone are made, there is nothing that a hint could change.
    const values = this.#policy.clientHints && this.#policy.transforms.mode !== 'presets' ? hintedValues(asked.values, headers, this.#policy.transforms.widths) : asked.values
    return admit({ ...asked, values }, this.#policy.transforms)
  }

  /**
   * All that clients may be given for what is asked of an original: where its format is
   * negotiated, a variant in each that may be chosen.
   *
   * @throws as `describe`
   */
  async variants (asking: Asking, found: FoundFile): Promise<Variant[]> {
    const variants = new Map<VariantKey, Variant>()
    for (const accept of [undefined, ...this.#policy.formats.map(format => `${mediaTypes[format]}, */*`)]) {
      const { variant } = await this.#planned(asking, found, { accept })
      variants.set(variant.key, variant)
    }
    return [...variants.values()]
  }

  /**
   * Makes a variant unless it is kept, and waits until it is.
   *
   * @returns whether it was there
   * @throws {StoreFault} where the cache did not keep it, and what `Deriver.made` throws
   */
  async keep (variant: Variant, signal: AbortSignal): Promise<'made' | 'there'> {
    const { deriver } = await this.#open()
    const { outcome } = await deriver.made(variant, { ...this.#making('request'), signal })
    if (outcome !== 'made') return 'there'
    await deriver.settled()
    if (await deriver.kept(variant.key) === undefined) throw new StoreFault('It was made, but the cache did not keep it')
    return 'made'
  }

  async #planned (asking: Asking, found: FoundFile, headers: IncomingHttpHeaders): Promise<Plan> {
    const { asked, path } = asking
    const transform = this.admitted(asked, headers)
    const parts = await this.#open()
    const { version } = parts.purges // before what it is the version of
    const facts = await headerFacts(found.representation)
    if (!this.#policy.limits.inputs.includes(facts.format)) throw new MediaError('unsupported-image', { detail: `The image is ${facts.format.toUpperCase()}, which this mount does not make into variants` })
    const original: Original = { path, found, facts, generation: parts.purges.generationOf([originalTag(path)]) }
    const overlay = transform.mark === undefined ? undefined : await parts.overlay(transform.mark)
    const request = { transform, limits: this.#policy.limits, overlay, gps: this.#policy.gps }
    const negotiated = transform.f === 'auto' && !asked.info
    const nature = natureOf(facts, transform.animated !== false && transform.frame === undefined)
    const format = asked.info ? 'json' : negotiated ? negotiateFormat(headers.accept, nature, this.#policy.formats) : chosenFormat(transform.f, nature)
    const quick = negotiated && this.#policy.upgrade && format === 'avif'
      ? variantOf(original, { ...request, format: negotiateFormat(headers.accept, nature, this.#policy.formats.filter(name => name !== 'avif')) })
      : undefined
    return { parts, original: found.representation, version, variant: variantOf(original, { ...request, format }), quick, vary: this.#varyOf(negotiated), isFleeting: overlay !== undefined || isYoung(found) }
  }

  #varyOf (negotiated: boolean): string | undefined {
    const fields = [...(negotiated ? ['Accept'] : []), ...(this.#policy.clientHints ? [HINT_FIELDS] : [])]
    return fields.length === 0 ? undefined : fields.join(', ')
  }

  /** Bytes in memory, or how to get them. */
  #answer ({ parts, variant, quick, vary }: Plan): Described | Promise<Described> {
    const kept = parts.deriver.kept(variant.key)
    if (kept !== undefined && !(kept instanceof Promise) && kept.bytes !== undefined) return { representation: keptRepresentation(kept, variant, vary), provisional: false }
    if (quick !== undefined) return this.#quickly(parts, { best: variant, quick, vary, kept })
    return { representation: unmadeRepresentation(variant, vary, this.#makingBy(parts)), provisional: false }
  }

  /** What is made fast, while the best is made for the next who asks. */
  async #quickly (parts: ImageParts, { best, quick, vary, kept }: { best: Variant, quick: Variant, vary: string | undefined, kept: ReturnType<Deriver['kept']> }): Promise<Described> {
    if (await kept !== undefined) return { representation: unmadeRepresentation(best, vary, this.#makingBy(parts)), provisional: false }
    const { complete, ...described } = unmadeRepresentation(quick, vary, this.#makingBy(parts))
    const thenTheBest: Representation['complete'] = async options => {
      const completed = await complete?.(options) ?? described
      if (options.make) parts.deriver.made(best, this.#making('background')).catch(() => {}) // the next who asks is told
      return completed
    }
    return { representation: { ...described, complete: thenTheBest }, provisional: true }
  }

  #makingBy ({ deriver }: ImageParts): Maker {
    return {
      kept: key => deriver.kept(key),
      made: async (variant, signal) => await deriver.made(variant, { ...this.#making('request'), ...(signal === undefined ? {} : { signal }) })
    }
  }

  #making (priority: Priority): MakeOptions {
    return { lane: this.#lane, inputBytes: this.#policy.limits.inputBytes, deadlineMs: this.#policy.limits.deadlineMs, priority }
  }
}

function natureOf (facts: HeaderFacts, keepsFrames: boolean): Nature {
  return { format: facts.format, alpha: facts.alpha, animated: keepsFrames && facts.frames !== undefined && facts.frames !== 1 && (facts.format === 'gif' || facts.format === 'webp') }
}

function chosenFormat (asked: OutputFormat | 'auto' | undefined, nature: Nature): OutputFormat {
  return asked === undefined || asked === 'auto' ? naturalFormat(nature) : asked
}
