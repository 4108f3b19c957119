import { randomBytes } from 'node:crypto'
import { Server } from '@tus/server'
import type { AccessLog } from '../../access/access.ts'
import type { RedisLink } from '../../cache/redis-link.ts'
import { MediaError } from '../../errors.ts'
import { hasBody } from '../../http/has-body.ts'
import { whileClientStays } from '../../http/client-left.ts'
import type { UploadSlots } from '../slots.ts'
import type { Patience } from '../patience.ts'
import { Arrival } from './arrival.ts'
import { completeUpload } from './completion.ts'
import { failureOf, withVersion } from './failures.ts'
import { UploadLocks } from './locks.ts'
import { tusMetadata } from './metadata.ts'
import { nameOf, withFile, type ResumableAnswer, type ResumablePlace, type ResumableRequest } from './place.ts'
import { answerHeaders, checkedHeaders, integerOf } from './protocol.ts'
import { RedisLocks } from './redis-locks.ts'
import { Staging } from './staging.ts'
import { sweepUploads } from './sweep.ts'
import { Unfinished, type UnfinishedBounds } from './unfinished.ts'

export type { ResumablePlace } from './place.ts'
export { discovery, isResumable, resumableAt } from './protocol.ts'

/** Milliseconds for which a request whose upload another one wants goes on. */
const DRAIN_MS = 250

/** Milliseconds between two sweeps, at the most and at the least. */
const SWEEP_MS = 600_000
const MIN_SWEEP_MS = 500

/** Milliseconds: as the configuration has them, where nothing else is said. */
const patience: Patience = { stallMs: 30_000, timeoutMs: 3_600_000 }

export interface ResumableOptions extends Partial<Patience> {
  /** Made where it is not there. Processes may share it: then they have to share `redis` too, or two could write one upload. */
  readonly directory: string
  /** Milliseconds that an unfinished upload is kept from its creation, and the note of a finished one from its end. */
  readonly expiryMs: number
  /** Where instances lock uploads together. While it does not answer nobody uploads: `unavailable`. */
  readonly redis?: RedisLink | undefined
  /** Places that are shared with other uploads: one is taken while bytes come. */
  readonly slots?: UploadSlots | undefined
  readonly bounds?: UnfinishedBounds | undefined
  readonly log: AccessLog
}

/** A request, and whether its client is still there. */
type Asked = ResumableRequest & { readonly left: AbortSignal }

/** What the hooks of the library have to know of a request. */
interface Exchange {
  /** The name on disk. */
  readonly id: string
  readonly place: ResumablePlace
  readonly left: AbortSignal
  /** The last byte is there. */
  readonly finish: () => Promise<void>
  failure?: unknown
  /** The URL of the file that it became. */
  stored?: string | undefined
}

/**
 * Resumable uploads by tus 1.0: https://tus.io/protocols/resumable-upload. `@tus/server` speaks the protocol; checked,
 * kept, locked and answered is here. Where the last byte is there the upload becomes a file before anybody hears of
 * it: by PATCH, and by HEAD where the answer to that was lost, since clients take an offset at the end for success.
 */
export class ResumableUploads {
  readonly #options: ResumableOptions
  readonly #unfinished: Unfinished
  readonly #locks: UploadLocks
  readonly #staging: Staging
  readonly #server: Server
  readonly #exchanges = new WeakMap<object, Exchange>()
  readonly #sweeping: NodeJS.Timeout

  private constructor (options: ResumableOptions, staging: Staging, unfinished: Unfinished) {
    const { redis, expiryMs } = options
    this.#options = options
    this.#staging = staging
    this.#unfinished = unfinished
    this.#locks = new UploadLocks(redis === undefined ? undefined : new RedisLocks(redis))
    const of = (request: object): Exchange => this.#exchanges.get(request) as Exchange
    this.#server = new Server({
      path: '/',
      datastore: staging,
      lockDrainTimeout: DRAIN_MS,
      locker: request => this.#locks.locker(of(request).left),
      namingFunction: request => of(request).id,
      getFileIdFromRequest: request => of(request).id,
      generateUrl: (request, { id }) => of(request).place.urlOf(id.slice(-32)),
      maxSize: request => of(request).place.maxBytes,
      onUploadFinish: async request => {
        await of(request).finish()
        return {}
      },
      onResponseError: (request, error) => {
        of(request).failure = error
        return undefined
      }
    })
    this.#sweeping = setInterval(() => void this.sweep(), Math.max(MIN_SWEEP_MS, Math.min(SWEEP_MS, expiryMs))).unref()
  }

  /** Opens the directory, and removes from it what is too old. @throws as the file system does */
  static async open (options: ResumableOptions): Promise<ResumableUploads> {
    const unfinished = new Unfinished(options.bounds)
    const staging = await Staging.open({ directory: options.directory, expiryMs: options.expiryMs, unfinished })
    const uploads = new ResumableUploads(options, staging, unfinished)
    await uploads.sweep()
    return uploads
  }

  /**
   * Answers one request.
   *
   * @throws {MediaError} whatever is wrong, with the header fields of the protocol
   * @throws {ClientLeft} where nobody hears the answer
   */
  async answer (request: ResumableRequest, place: ResumablePlace): Promise<ResumableAnswer> {
    try {
      return await whileClientStays(request.response, async left => {
        const asked = { ...request, left }
        return place.id === undefined ? await this.#create(asked, place) : await this.#resume(asked, place, place.id)
      })
    } catch (error) {
      throw withVersion(failureOf(error))
    }
  }

  /** Removes what is older than it may be. Never throws. */
  async sweep (): Promise<void> {
    const { directory, expiryMs, log } = this.#options
    try {
      await sweepUploads({ directory, expiryMs, staging: this.#staging, locks: this.#locks, unfinished: this.#unfinished })
    } catch (error) {
      log.warn({ err: error }, 'Unfinished uploads could not be looked through')
    }
  }

  async close (): Promise<void> {
    clearInterval(this.#sweeping)
  }

  async #create (request: Asked, place: ResumablePlace): Promise<ResumableAnswer> {
    const headers = checkedHeaders(request, ['POST'])
    const size = integerOf(request.headers, 'upload-length')
    const metadata = tusMetadata(headers.get('upload-metadata') ?? undefined)
    if ((size ?? 0) > place.maxBytes) throw new MediaError('body-too-large', { detail: `A file may have ${place.maxBytes} bytes here` })
    const id = nameOf(place, randomBytes(16).toString('hex'))
    await place.admit?.({ ...metadata, size, waiting: this.#unfinished.bytesLike(id) })
    this.#unfinished.admit(id, size ?? place.maxBytes)
    try {
      return await this.#exchange(request, { headers, id, place })
    } catch (error) {
      await this.#staging.discard(id) // its URL was not told
      throw error
    }
  }

  async #resume (request: Asked, place: ResumablePlace, own: string): Promise<ResumableAnswer> {
    const headers = checkedHeaders(request, ['HEAD', 'PATCH', 'DELETE'])
    const id = nameOf(place, own)
    const length = integerOf(request.headers, 'upload-length')
    // A client whose last PATCH was cut tells the length again.
    if (length !== undefined && (await this.#staging.records.read(id))?.size === length) headers.delete('upload-length')
    const answer = await this.#exchange(request, { headers, id, place })
    const { 'upload-offset': offset, 'upload-length': whole } = answer.headers
    if (request.method !== 'HEAD' || offset !== whole) return answer
    return withFile(answer, await completeUpload(id, place, { staging: this.#staging, locks: this.#locks }))
  }

  async #exchange (request: Asked, { headers, id, place }: { headers: Headers, id: string, place: ResumablePlace }): Promise<ResumableAnswer> {
    const brings = hasBody(request.body)
    if (brings && place.maxBytes === 0) throw new MediaError('body-too-large') // 0 is no bound to the library
    const leave = brings ? this.#options.slots?.take() : undefined
    const arrival = brings ? new Arrival(request.body, { ...patience, ...this.#options }) : undefined
    const exchange: Exchange = {
      id,
      place,
      left: request.left,
      finish: async () => {
        leave?.() // the file takes a place by itself
        exchange.stored = await completeUpload(id, place, { staging: this.#staging, locks: this.#locks })
      }
    }
    try {
      const asked = new Request('http://uploads.invalid/', { method: request.method, headers, ...(arrival === undefined ? {} : { body: arrival.stream, duplex: 'half' }) })
      this.#exchanges.set(asked, exchange)
      const { status, headers: told } = await this.#server.handleWeb(asked)
      if (exchange.failure !== undefined) throw exchange.failure
      if (exchange.stored === undefined && arrival?.fault !== undefined) throw arrival.fault
      if (status >= 400) throw new MediaError(status === 404 ? 'not-found' : 'bad-request')
      return withFile({ status, headers: answerHeaders(told) }, exchange.stored)
    } finally {
      arrival?.stop()
      leave?.()
    }
  }
}
