import { readFile } from 'node:fs/promises'
import { isIPv4 } from 'node:net'
import { textOf } from '../access/key-file.ts'
import type { WebhookConfig } from '../config/writing-schema.ts'
import { parseHttpDate } from '../http/http-date.ts'
import { withoutTrailingSlash } from '../paths/prefix.ts'
import type { FileEvent } from '../writing/parts.ts'
import { Mailbox, PostError } from './posting.ts'
import { messageOf, type EventsLog, type Outcome, type Receiver } from './receiver.ts'
import { keyOf, secretsIn, signedFields } from './signature.ts'

/** The most messages that are on their way to one webhook at once. */
const CONCURRENCY = 4

/** A webhook of the configuration. */
export interface WebhookOptions {
  readonly name: string
  readonly config: WebhookConfig
  readonly log: EventsLog
}

/** @throws where a file with a secret or authorities is gone since it was checked */
export async function openWebhook ({ name, config, log }: WebhookOptions): Promise<Webhook> {
  const { url, secret = '', secretFile, ca } = config
  const text = secretFile === undefined ? secret : await textOf(secretFile)
  if (new URL(url).protocol === 'http:' && !isLoopback(new URL(url).hostname)) log.warn({ webhook: name }, 'Messages to a webhook are not encrypted: its URL is http')
  return new Webhook({ name, config, keys: secretsIn(text).map(keyOf), ca: ca === undefined ? undefined : await readFile(ca, 'latin1') })
}

function isLoopback (host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || (isIPv4(host) && host.startsWith('127.'))
}

/** What a {@link Webhook} is made of. */
export interface WebhookParts {
  readonly name: string
  readonly config: WebhookConfig
  /** In the order of signatures. */
  readonly keys: readonly Buffer[]
  readonly ca: string | undefined
}

/**
 * A server that is told by POST, signed as Standard Webhooks says. Any 2xx is its receipt; with 410 it
 * wants nothing of the kind; whatever else it answers, or does not, it is told again.
 */
export class Webhook implements Receiver {
  readonly name: string
  readonly concurrency = CONCURRENCY
  readonly attempts: number
  readonly firstRetryMs: number
  readonly #types: ReadonlySet<string>
  readonly #mounts: ReadonlySet<string>
  readonly #keys: readonly Buffer[]
  readonly #mailbox: Mailbox

  constructor ({ name, config, keys, ca }: WebhookParts) {
    this.name = `webhooks.${name}`
    this.attempts = config.attempts
    this.firstRetryMs = config.firstRetryMs
    this.#types = new Set(config.events)
    this.#mounts = new Set(config.mounts.map(withoutTrailingSlash))
    this.#keys = keys
    this.#mailbox = new Mailbox({ url: config.url, connections: CONCURRENCY, timeoutMs: config.timeoutMs, ca })
  }

  wants ({ type, mount }: Pick<FileEvent, 'type' | 'mount'>): boolean {
    return this.#types.has(type) && (this.#mounts.size === 0 || this.#mounts.has(mount))
  }

  async deliver (event: FileEvent): Promise<Outcome> {
    const body = messageOf(event)
    const seconds = Math.floor(Date.now() / 1000)
    try {
      const { status, headers } = await this.#mailbox.post({ 'content-type': 'application/json', 'user-agent': 'fastify-media', ...signedFields(this.#keys, { id: event.id, seconds, body }) }, body)
      if (status >= 200 && status < 300) return { kind: 'delivered' }
      if (status === 410) return { kind: 'refused', reason: 'answered 410' }
      return { kind: 'failed', reason: `answered ${status}`, waitMs: retryAfterMs(headers['retry-after']) }
    } catch (error) {
      return { kind: 'failed', reason: error instanceof PostError ? error.reason : 'failed' }
    }
  }

  async close (): Promise<void> {
    await this.#mailbox.close()
  }
}

/** RFC 9110 §10.2.3: seconds, or a date. What is neither says nothing. */
export function retryAfterMs (field: string | string[] | undefined): number | undefined {
  if (typeof field !== 'string') return undefined
  if (/^\d{1,10}$/.test(field)) return Number(field) * 1000
  const date = parseHttpDate(field)
  return date === undefined ? undefined : Math.max(0, date - Date.now())
}
