import { failures, MediaError, type FailureCode } from '../../errors.ts'
import type { StoredFile } from '../../sources/stored-file.ts'
import { FrameFault } from './frames.ts'
import { inputFormats, outputFormats, type InputFormat, type OutputFormat } from '../format.ts'
import type { ImageJob, ImageResult } from '../job.ts'

/** What the engine of a worker reads and writes. */
export interface Engine {
  readonly inputs: readonly InputFormat[]
  readonly outputs: readonly OutputFormat[]
}

/** A job as it is told to a worker. */
export interface JobMessage {
  readonly job: ImageJob
  /** A file to open, or the size of what is sent, null where nobody knows it yet. */
  readonly inputs: ReadonlyArray<StoredFile | { readonly sent: number | null }>
  /** Bytes of one input. */
  readonly maxInputBytes: number
}

/** How a job failed in the worker. */
export interface FailureMessage {
  readonly kind: 'failed' | 'changed' | 'threw'
  readonly code?: FailureCode | undefined
  readonly detail?: string | undefined
  /** For the log. */
  readonly message: string
}

/** Bytes of a hello: two lists of words. */
export const HELLO_BYTES = 4096
/** Bytes of a failure: its texts are cut to {@link TEXT_CHARACTERS}. */
export const FAILURE_BYTES = 16 * 1024
/** Bytes of the facts beside a result. */
const FACTS_BYTES = 4096
const TEXT_CHARACTERS = 1000
const factNames = ['width', 'height', 'quality', 'frames'] as const

function isRecord (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function record (json: Buffer): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(json.toString())
  } catch {
    throw new FrameFault('A payload that is no JSON')
  }
  if (!isRecord(value)) throw new FrameFault('A payload that is no object')
  return value
}

function textOf (value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string') throw new FrameFault('A payload with a value of the wrong type')
  return value.slice(0, TEXT_CHARACTERS)
}

/** @throws {FrameFault} */
export function readHello (payload: Buffer): Engine {
  const { inputs, outputs } = record(payload)
  if (!Array.isArray(inputs) || !Array.isArray(outputs)) throw new FrameFault('A hello without formats')
  return {
    inputs: inputFormats.filter(format => inputs.includes(format)),
    outputs: outputFormats.filter(format => outputs.includes(format))
  }
}

/** The payload of a result: the length of the facts, the facts, the bytes. */
export function resultParts ({ bytes, facts }: ImageResult): Buffer[] {
  const json = Buffer.from(JSON.stringify(facts))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(json.length)
  return [length, json, bytes]
}

/** @throws {FrameFault} */
export function readResult (payload: Buffer): ImageResult {
  const length = payload.length < 4 ? FACTS_BYTES + 1 : payload.readUInt32LE(0)
  if (length > FACTS_BYTES || 4 + length > payload.length) throw new FrameFault('A result whose facts do not fit')
  const told = record(payload.subarray(4, 4 + length))
  const facts: Partial<Record<typeof factNames[number], number>> = {}
  for (const name of factNames) {
    const value = told[name]
    if (value === undefined) continue
    if (typeof value !== 'number' || !(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) throw new FrameFault('A result with a fact that is no number')
    facts[name] = value
  }
  return { bytes: payload.subarray(4 + length), facts }
}

/** What a throw of a job is told as. */
export function failureOf (error: unknown): FailureMessage {
  const message = String(error instanceof Error ? error.stack ?? error.message : error).slice(0, TEXT_CHARACTERS)
  if (error instanceof MediaError) return { kind: 'failed', code: error.code, detail: error.detail?.slice(0, TEXT_CHARACTERS), message }
  const isChange = error instanceof Error && error.name === 'RepresentationChanged'
  return { kind: isChange ? 'changed' : 'threw', message }
}

function isFailureCode (value: unknown): value is FailureCode {
  return typeof value === 'string' && Object.hasOwn(failures, value)
}

/** @throws {FrameFault} */
export function readFailure (payload: Buffer): FailureMessage {
  const { kind, code, detail, message } = record(payload)
  if (kind !== 'failed' && kind !== 'changed' && kind !== 'threw') throw new FrameFault('A failure of unknown kind')
  if (kind === 'failed' && !isFailureCode(code)) throw new FrameFault('A failure with an unknown code')
  return { kind, code: isFailureCode(code) ? code : undefined, detail: textOf(detail), message: textOf(message) ?? '' }
}
