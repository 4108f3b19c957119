import { randomUUID } from 'node:crypto'
import { readdirSync, type Dirent } from 'node:fs'
import { join } from 'node:path'
import type { WebhookConfig } from '../../../lib/config/writing-schema.ts'
import { openEvents, type Events, type EventsSurroundings } from '../../../lib/events/open.ts'
import type { FileEvent } from '../../../lib/writing/parts.ts'
import { scratch, type Test } from '../../helpers/app.ts'
import { sharedSecret } from '../../helpers/tokens.ts'

/** A webhook that is tried often, quickly. */
export function webhook (url: string, rest: Partial<WebhookConfig> = {}): WebhookConfig {
  return { url, secret: sharedSecret, events: ['file.created', 'file.replaced', 'file.deleted'], mounts: [], timeoutMs: 5000, attempts: 100, firstRetryMs: 1, ...rest }
}

/** An event that nobody had before. */
export function event (rest: Partial<FileEvent> = {}): FileEvent {
  return { id: randomUUID(), type: 'file.created', time: '2026-11-05T12:00:00.000Z', mount: '/photos', path: '/photos/cat.jpg', principal: 'staff:ann', ...rest }
}

/** A line of a log. */
export interface Told extends Record<string, unknown> {
  readonly level: string
  readonly message: string
}

/** A log that is kept. */
export function keptLog (): { readonly log: EventsSurroundings['log'], readonly lines: Told[] } {
  const lines: Told[] = []
  const line = (level: string) => (facts: object, message: string): void => { lines.push({ ...facts, level, message }) }
  return { log: { info: line('info'), warn: line('warn') }, lines }
}

/** What events are opened with. */
export interface Telling {
  readonly directory?: string
  readonly webhooks?: Record<string, WebhookConfig>
  readonly stream?: { readonly redis: string, readonly key: string, readonly maxLength: number } | undefined
  readonly resolve?: EventsSurroundings['resolve']
}

/** Opens events in a directory of their own; closed after the test. */
export async function telling (t: Test, { directory, webhooks = {}, stream, resolve = async () => undefined }: Telling): Promise<{ events: Events, directory: string, lines: Told[] }> {
  const where = directory ?? await scratch(t)
  const { log, lines } = keptLog()
  const uploads = { directory: where, maxConcurrent: 1, stallMs: 1, timeoutMs: 1, expiryMs: 1 }
  const events = await openEvents({ events: { webhooks, stream: stream as never }, uploads }, { log, resolve })
  t.teardown(async () => await events.close())
  return { events, directory: where, lines }
}

/** Tells of a file from the beginning to the end. */
export async function tell (events: Events, what: FileEvent = event(), facts: Partial<FileEvent> = {}): Promise<FileEvent> {
  await (await events.announce(what)).confirm(facts)
  return what
}

/** Every file below a directory of events, by its path there. */
export function filesBelow (directory: string, below = ''): string[] {
  const names = below === 'alive/' ? [] : readdirNow(join(directory, 'events', below))
  return names.flatMap(entry => entry.isDirectory() ? filesBelow(directory, `${below}${entry.name}/`) : [below + entry.name]).toSorted()
}

/** What went since it was listed is not there. */
function readdirNow (directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
