import type { FileEvent } from '../writing/parts.ts'

/** Where it is written down that receivers went or came back. */
export interface EventsLog {
  info (facts: object, message: string): void
  warn (facts: object, message: string): void
}

/** What came of one try to tell a receiver. Reasons are few words, and hold nothing of what was answered. */
export type Outcome =
  | { readonly kind: 'delivered' }
  /** It may be tried again; `waitMs`: for so long nothing is to be sent, the receiver says. */
  | { readonly kind: 'failed', readonly reason: string, readonly waitMs?: number | undefined }
  /** It never wants this. */
  | { readonly kind: 'refused', readonly reason: string }
  /** It is away as a whole, which says nothing of the message: no attempt is counted. */
  | { readonly kind: 'away', readonly reason: string }

/** Who is told of events, outside this process. */
export interface Receiver {
  /** Where it stands in `events` of the configuration: `webhooks.search`, `stream`. */
  readonly name: string
  /** The most messages that are on their way at once. */
  readonly concurrency: number
  /** How often one message is sent until it is a dead letter. */
  readonly attempts: number
  /** Milliseconds from the first failure to the next try; doubled each time. */
  readonly firstRetryMs: number
  /** Whether it is told of this one. */
  wants (event: Pick<FileEvent, 'type' | 'mount'>): boolean
  /** Tells it once, within a bounded time. Never throws. */
  deliver (event: FileEvent): Promise<Outcome>
  /** Gives up what is on its way. */
  close (): Promise<void>
}

/** An event as it is sent: the payload of Standard Webhooks, with its `id`. */
export function messageOf ({ id, type, time, ...data }: FileEvent): string {
  return JSON.stringify({ id, type, timestamp: time, data })
}
