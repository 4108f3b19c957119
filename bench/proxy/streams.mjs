import { setTimeout as sleep } from 'node:timers/promises'
import { bytesWritten, peakResidentBytes } from '../lib/proc.mjs'
import { median } from '../lib/report.mjs'
import { MIB, STREAM_BYTES } from './files.mjs'
import { missing, starters } from './servers.mjs'
import { Stream } from './stream.mjs'

const STREAMS = 8
/** What a client reads before it stops. */
const READ_BEFORE_STOP = MIB
/** An origin that has written nothing for so long has been stopped. */
const STILL_MS = 250
/** One that is never stopped is looked at no longer than this. */
const STOP_DEADLINE_MS = 20_000

/**
 * One file of 500 MB through each proxy: how soon its first byte comes, memory at most while eight
 * clients take it at once, and what the origin has written and the client not read when the
 * client stops.
 *
 * @returns {Promise<Record<string, { firstMs: number, behindMs: number, peakMb: number, inFlightMb: number }>>}
 */
export async function measureStreams ({ plan, origin, programs }) {
  const names = Object.keys(starters).filter(name => plan.isQuick ? name === 'ours' : missing(name) === undefined)
  const measured = {}
  for (const name of names) {
    const server = await starters[name]({ origin, programs })
    try {
      measured[name] = { ...await firstBytes(server, origin, plan), inFlightMb: await medianInFlight(server, origin, plan), peakMb: await peakMb(server) }
    } finally {
      await server.stop()
    }
  }
  return measured
}

/** Asked in turns, so that what disturbs one disturbs the other. */
async function firstBytes (server, origin, { firstBytes: count }) {
  const samples = { origin: [], server: [] }
  await firstByteMs(server)
  for (let round = 0; round < count; round++) {
    samples.origin.push(await firstByteMs(origin))
    samples.server.push(await firstByteMs(server))
  }
  return { firstMs: median(samples.server), behindMs: median(samples.server) - median(samples.origin) }
}

async function firstByteMs ({ url }) {
  const stream = new Stream(`${url}/500m.bin`)
  const ms = await stream.ask()
  await stream.close()
  return ms
}

/** Of several clients who stop, one after the other: now and then the kernel takes 30 MB for a client on its own account. */
async function medianInFlight (server, origin, { stops }) {
  const samples = []
  for (let stop = 0; stop < stops; stop++) samples.push(await inFlightMb(server, origin))
  return median(samples)
}

async function inFlightMb (server, origin) {
  const before = bytesWritten(origin.pid)
  const stopped = new Promise(resolve => {
    const stream = new Stream(`${server.url}/500m.bin`, () => {
      if (stream.bytes < READ_BEFORE_STOP) return
      stream.pause()
      resolve(stream)
    })
    void stream.ask()
  })
  const stream = await stopped
  const end = performance.now() + STOP_DEADLINE_MS
  for (let written = 0; written !== bytesWritten(origin.pid) && performance.now() < end;) {
    written = bytesWritten(origin.pid)
    await sleep(STILL_MS)
  }
  const inFlight = bytesWritten(origin.pid) - before - stream.bytes
  await stream.close()
  return inFlight / MIB
}

/** @throws {Error} where a stream is shorter than it should be */
async function peakMb (server) {
  const streams = Array.from({ length: STREAMS }, () => new Stream(`${server.url}/500m.bin`))
  await Promise.all(streams.map(async stream => {
    await stream.ask()
    await stream.closed
  }))
  for (const { status, bytes } of streams) {
    if (status !== 200 || bytes !== STREAM_BYTES) throw new Error(`${server.name}: Expected ${STREAM_BYTES} bytes but received ${status} with ${bytes}`)
  }
  return peakResidentBytes(server.pid) / MIB
}
