import type { Readable } from 'node:stream'
import { MediaError } from '../../errors.ts'
import { ClientLeft } from '../../http/client-left.ts'
import type { Patience } from '../patience.ts'

/**
 * The body of a request as the library takes it. Where it is cut, or too slow, it ends instead of failing, so that
 * what came by then is kept; `fault` tells of it. When it is stopped the rest stays unread, with nobody listening.
 */
export class Arrival {
  readonly stream: ReadableStream<Uint8Array>
  readonly #body: Readable
  readonly #patience: Patience
  /** `MediaError` where the client can still be told, {@link ClientLeft} where not; undefined where it came whole, or was stopped. */
  fault: MediaError | ClientLeft | undefined
  #stop: () => void = () => undefined
  #more: () => void = () => undefined

  constructor (body: Readable, patience: Patience) {
    this.#body = body
    this.#patience = patience
    this.stream = new ReadableStream<Uint8Array>({
      start: controller => this.#listen(controller),
      pull: () => this.#more(),
      cancel: () => this.#stop()
    })
  }

  /** Takes no more of it. */
  stop (): void {
    this.#stop()
  }

  #listen (controller: ReadableStreamDefaultController<Uint8Array>): void {
    const body = this.#body
    const end = (fault?: MediaError | ClientLeft): void => {
      this.#stop = this.#more = () => undefined
      this.fault = fault
      for (const timer of timers) clearTimeout(timer)
      body.off('data', take).off('end', whole).off('error', leave).off('close', leave).pause()
      body.on('error', () => undefined) // of what nobody waits for any more
      try {
        controller.close()
      } catch {
        // the library had enough of it already
      }
    }
    const take = (chunk: Buffer): void => {
      timers[0].refresh()
      controller.enqueue(chunk)
      if ((controller.desiredSize ?? 0) <= 0) body.pause()
    }
    const whole = (): void => end()
    const leave = (): void => end(new ClientLeft())
    const late = (): void => end(new MediaError('request-timeout', { detail: 'The upload took too long' }))
    const timers = [setTimeout(late, this.#patience.stallMs), setTimeout(late, this.#patience.timeoutMs)] as const
    this.#stop = whole
    this.#more = () => {
      timers[0].refresh() // it was not the client who made it wait
      body.resume()
    }
    body.on('data', take).on('end', whole).on('error', leave).on('close', leave).pause()
    if (body.destroyed) leave()
    else if (body.readableEnded) whole()
  }
}
