import { hash } from 'node:crypto'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { eventTypes } from './event-types.ts'
import type { FileEvent } from '../writing/parts.ts'

/* A message on disk: lines of JSON, which are only ever added. The first is the event as it was announced. */

/** Bytes of a message; paths of 4 KB, escaped, take a part of it. What is larger was not written by us. */
const MAX_MESSAGE_BYTES = 131_072

/** Why a message is dead. */
export interface Death {
  readonly receiver: string
  /** How often it was sent. */
  readonly attempts: number
  /** What came of the last time. */
  readonly failure: string
  /** RFC 3339, UTC. */
  readonly time: string
}

/** What a message file holds. */
export interface Message {
  /** With what became of it, as far as that was written down. */
  readonly event: FileEvent
  /** Whether it is written down that it happened. A power loss may take that line, but not the event. */
  readonly isConfirmed: boolean
  /** Why it is dead, where it is; the last one. */
  readonly death: Death | undefined
}

/** A file that is none of ours, or was broken. */
export class DamagedMessage extends Error {
  override readonly name = 'DamagedMessage'
}

type Line = { readonly event: FileEvent } | { readonly happened: Partial<FileEvent> } | { readonly dead: Death }

/** Begun with a line break by those that follow: what a crash left half-written before does not take them along. */
export function lineOf (line: Line): string {
  return 'event' in line ? `${JSON.stringify(line)}\n` : `\n${JSON.stringify(line)}\n`
}

/** The event with what became of it. It stays the same event. */
export function withFacts (event: FileEvent, facts: Partial<FileEvent>): FileEvent {
  return { ...event, ...facts, id: event.id }
}

/**
 * Reads a message.
 *
 * @throws {DamagedMessage} where it is none; as the file system does
 */
export async function readMessage (path: string): Promise<Message> {
  const lines = (await textOf(path)).split('\n').map(parsed)
  const [first, ...others] = lines
  if (!isEvent(first?.event)) throw new DamagedMessage('It does not begin with an event')
  const facts = others.find(line => line?.happened !== undefined)?.happened as Partial<FileEvent> | undefined
  const event = withFacts(first.event, facts ?? {})
  if (!isEvent(event)) throw new DamagedMessage('What became of the event is none of what it could be')
  return { event, isConfirmed: facts !== undefined, death: others.findLast(line => line?.dead !== undefined)?.dead as Death | undefined }
}

async function textOf (path: string): Promise<string> {
  const file = await open(path)
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw new DamagedMessage('It is no file')
    if (stats.size > MAX_MESSAGE_BYTES) throw new DamagedMessage(`It has more than ${MAX_MESSAGE_BYTES} bytes`)
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

function parsed (line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? value as Record<string, unknown> : undefined
  } catch {
    return undefined // cut off by a crash
  }
}

function isEvent (value: unknown): value is FileEvent {
  const { id, type, time, mount, path, principal } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>
  return isId(id) && eventTypes.some(known => known === type) && [time, mount, path, principal].every(text => typeof text === 'string')
}

/** Ids are parts of file names. */
export function isId (id: unknown): id is string {
  return typeof id === 'string' && /^[\w-]{1,64}$/.test(id)
}

/**
 * Adds a line to a message that is there.
 *
 * @param isFlushed whether it is on disk when this settles
 * @throws as the file system does
 */
export async function addLine (path: string, line: Line, { isFlushed }: { readonly isFlushed: boolean }): Promise<void> {
  const file = await open(path, constants.O_WRONLY | constants.O_APPEND)
  try {
    await file.writeFile(lineOf(line))
    if (isFlushed) await file.datasync()
  } finally {
    await file.close()
  }
}

/* The name of a message that waits says when it is sent, so that nothing has to be read to know what is next. */

/** What the name of a message that waits says. */
export interface Waiting {
  /** Milliseconds since the epoch from which on it may be sent, to the microsecond: so many are in order. */
  readonly dueMs: number
  /** How often it was sent. */
  readonly attempts: number
  /** Stands for the path that it is about: equal paths are equal here. */
  readonly subject: string
  readonly id: string
}

/** Of microseconds: until the year 33658. */
const DUE_DIGITS = 18
const MICROSECONDS = 1000

/** Names sort as messages are due. */
export function waitingName ({ dueMs, attempts, subject, id }: Waiting): string {
  return `${Math.round(dueMs * MICROSECONDS).toString().padStart(DUE_DIGITS, '0')}.${attempts}.${subject}.${id}`
}

/** Undefined for what is no such name. */
export function readWaitingName (name: string): Waiting | undefined {
  const [, due, attempts, subject, id] = /^(\d{18})\.(\d{1,3})\.([0-9a-f]{8})\.([\w-]{1,64})$/.exec(name) ?? []
  return subject === undefined || id === undefined ? undefined : { dueMs: Number(due) / MICROSECONDS, attempts: Number(attempts), subject, id }
}

export function subjectOf ({ mount, path }: Pick<FileEvent, 'mount' | 'path'>): string {
  return hash('sha256', `${mount}\n${path}`).slice(0, 8)
}
