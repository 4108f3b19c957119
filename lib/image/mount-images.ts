import type { IncomingHttpHeaders } from 'node:http'
import { originalTag } from '../cache/purge-tags.ts'
import { StoreFault, type VariantKey } from '../cache/store.ts'
import { MediaError } from '../errors.ts'
import type { Representation } from '../representation.ts'
import type { FoundFile } from '../sources/source.ts'
import type { Asked } from '../transform/asked.ts'
import { admit, type TransformPolicy } from '../transform/limits.ts'
import type { Transform, Values } from '../transform/transform.ts'
import type { MakeOptions, Priority } from './deriver.ts'
import { mediaTypes, type OutputFormat } from './format.ts'
import { HINT_FIELDS, hintedValues } from './hints.ts'
import type { JobLimits } from './job.ts'
import { naturalFormat, natureOf, type Nature } from './negotiate.ts'
import { Negotiator } from './negotiator.ts'
import { headerFacts } from './originals.ts'
import { Readings, type Reading, type ReadingOptions } from './reading.ts'
import type { ImageParts, VariantPlan } from './variant-plan.ts'
import { keptRepresentation, unmadeRepresentation, type Maker } from './variant-representation.ts'
import { isYoung, variantOf, type Ingredients, type Known, type Makeable, type Variant } from './variant.ts'

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

/** What is asked of an original, however it was spelled. */
export type Asking = Pick<Reading, 'asked' | 'path' | 'key'>

/** A variant as one request gets it. */
export interface Described {
  readonly representation: Representation
  /** Whether better bytes are being made: this answer is to be kept for a short time only. */
  readonly provisional: boolean
}

/** Plans of one reading. Few are in use; whoever sends ever new fields pushes against it. */
const MAX_PLANS = 8

/** The variants of one mount: from URLs to representations. */
export class MountImages {
  readonly #policy: ImagePolicy
  readonly #open: () => Promise<ImageParts>
  readonly #prefix: string
  readonly #readings: Readings
  readonly #negotiator: Negotiator

  /**
   * @param prefix that of the mount, as clients see it
   * @param open gives the same parts each time; called when a variant is first asked for
   */
  constructor (prefix: string, policy: ImagePolicy, open: () => Promise<ImageParts>) {
    this.#policy = policy
    this.#open = open
    this.#prefix = prefix
    this.#negotiator = new Negotiator(policy.formats)
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
    if (plan !== undefined && plan.original.deref() === found.representation && plan.version === plan.parts.purges.version) return this.#answer(plan, { original: found })
    return this.#planned(reading, found, headers).then(async ({ plan: fresh, from }) => {
      if (reading.plans.size >= MAX_PLANS) reading.plans.clear()
      // An original that was just changed, and an overlay, are looked at again each time.
      if (from.overlay === undefined && !isYoung(found)) reading.plans.set(chosenBy, fresh)
      return await this.#answer(fresh, from)
    })
  }

  /** What of a request decides which variant it gets: of few values, whatever clients send. */
  #chosenBy ({ asked }: Reading, headers: IncomingHttpHeaders): string {
    const choices = asked.values.f === 'auto' || asked.preset !== undefined ? this.#negotiator.choices(headers.accept) : ''
    return this.#policy.clientHints ? `${choices}\n${JSON.stringify(this.#hints(asked, headers))}` : choices
  }

  #hints ({ values, preset }: Asked, headers: IncomingHttpHeaders): Values {
    const { mode, presets, widths } = this.#policy.transforms
    // Where presets alone are made, there is nothing that a hint could change.
    if (!this.#policy.clientHints || mode === 'presets') return {}
    const said = preset !== undefined && Object.hasOwn(presets, preset) ? { ...presets[preset], ...values } : values
    return hintedValues(said, headers, widths)
  }

  /**
   * The transform that is made of what is asked, within what this mount allows.
   *
   * @throws {MediaError} `bad-transform`, `forbidden`, `image-too-large`
   */
  admitted (asked: Asked, headers: IncomingHttpHeaders = {}): Transform {
    if (asked.info && !this.#policy.info) throw new MediaError('forbidden', { detail: 'This mount does not tell what its pictures are' })
    return admit({ ...asked, values: { ...asked.values, ...this.#hints(asked, headers) } }, this.#policy.transforms)
  }

  /**
   * All that clients may be given for what is asked of an original: where its format is
   * negotiated, a variant in each that may be chosen.
   *
   * @throws as `describe`
   */
  async variants (asking: Asking, found: FoundFile): Promise<Makeable[]> {
    const variants = new Map<VariantKey, Makeable>()
    for (const accept of [undefined, ...this.#policy.formats.map(format => `${mediaTypes[format]}, */*`)]) {
      const { plan: { variant }, from } = await this.#planned(asking, found, { accept })
      variants.set(variant.key, { variant, from })
    }
    return [...variants.values()]
  }

  /**
   * Makes a variant unless it is kept, and waits until it is.
   *
   * @returns whether it was there
   * @throws {StoreFault} where the cache did not keep it, and what `Deriver.made` throws
   */
  async keep ({ variant, from }: Makeable, signal: AbortSignal): Promise<'made' | 'there'> {
    const { deriver } = await this.#open()
    const { outcome } = await deriver.made(variant, { ...this.#making('request', from), signal })
    if (outcome !== 'made') return 'there'
    await deriver.settled()
    if (await deriver.kept(variant.key) === undefined) throw new StoreFault('It was made, but the cache did not keep it')
    return 'made'
  }

  async #planned ({ asked, path, key }: Asking, found: FoundFile, headers: IncomingHttpHeaders): Promise<{ plan: VariantPlan, from: Ingredients }> {
    const transform = this.admitted(asked, headers)
    const parts = await this.#open()
    const { version } = parts.purges // before what it is the version of
    const facts = await headerFacts(found.representation)
    if (!this.#policy.limits.inputs.includes(facts.format)) throw new MediaError('unsupported-image', { detail: `The image is ${facts.format.toUpperCase()}, which this mount does not make into variants` })
    const tags = [path, ...found.canonical === undefined || found.canonical === key ? [] : [`${this.#prefix}/${found.canonical}`]].map(originalTag)
    const known: Known = { path, tags, facts, generation: parts.purges.generationOf(tags) }
    const from: Ingredients = { original: found, overlay: transform.mark === undefined ? undefined : await parts.overlay(transform.mark) }
    const request = { transform, limits: this.#policy.limits, gps: this.#policy.gps }
    const negotiated = transform.f === 'auto' && !asked.info
    const nature = natureOf(facts, transform.animated !== false && transform.frame === undefined)
    const format = asked.info ? 'json' : negotiated ? this.#negotiator.best(headers.accept, nature) : chosenFormat(transform.f, nature)
    const quick = negotiated && this.#policy.upgrade && format === 'avif'
      ? variantOf(known, from, { ...request, format: this.#negotiator.quick(headers.accept, nature) })
      : undefined
    return { from, plan: { parts, original: new WeakRef(found.representation), version, variant: variantOf(known, from, { ...request, format }), quick, vary: this.#varyOf(negotiated) } }
  }

  #varyOf (negotiated: boolean): string | undefined {
    const fields = [...(negotiated ? ['Accept'] : []), ...(this.#policy.clientHints ? [HINT_FIELDS] : [])]
    return fields.length === 0 ? undefined : fields.join(', ')
  }

  /** Bytes in memory, or how to get them. */
  #answer (plan: VariantPlan, from: Ingredients): Described | Promise<Described> {
    const { parts, variant, quick, vary } = plan
    const atHand = parts.deriver.atHand(variant.key)
    if (atHand !== undefined) return { representation: keptRepresentation(atHand, variant, vary), provisional: false }
    if (quick !== undefined) return this.#quickly({ ...plan, quick }, from)
    return { representation: unmadeRepresentation(variant, from, { vary, maker: this.#makerOf(parts) }), provisional: false }
  }

  /** What is made fast, while the best is made for the next who asks. */
  async #quickly ({ parts, variant: best, quick, vary }: VariantPlan & { quick: Variant }, from: Ingredients): Promise<Described> {
    const how = { vary, maker: this.#makerOf(parts) }
    if (await parts.deriver.kept(best.key) !== undefined) return { representation: unmadeRepresentation(best, from, how), provisional: false }
    const { complete, ...described } = unmadeRepresentation(quick, from, how)
    const thenTheBest: Representation['complete'] = async options => {
      const completed = await complete?.(options) ?? described
      if (options.make) parts.deriver.made(best, this.#making('background', from)).catch(() => {}) // the next who asks is told
      return completed
    }
    return { representation: { ...described, complete: thenTheBest }, provisional: true }
  }

  #makerOf ({ deriver }: ImageParts): Maker {
    return {
      kept: key => deriver.kept(key),
      made: async (variant, from, signal) => await deriver.made(variant, { ...this.#making('request', from), ...(signal === undefined ? {} : { signal }) }),
      written: async key => await deriver.written(key)
    }
  }

  #making (priority: Priority, from: Ingredients): MakeOptions {
    const { inputBytes, deadlineMs } = this.#policy.limits
    return { lane: this.#prefix, inputBytes, deadlineMs, priority, from }
  }
}

function chosenFormat (asked: OutputFormat | 'auto' | undefined, nature: Nature): OutputFormat {
  return asked === undefined || asked === 'auto' ? naturalFormat(nature) : asked
}
