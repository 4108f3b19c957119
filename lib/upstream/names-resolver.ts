import { lookup as resolveName, type LookupAddress, type LookupAllOptions } from 'node:dns'
import { Recent } from '../cache/recent.ts'

/** Finds all addresses of a name, as `dns.lookup` with `all` does. */
export type Resolver = (hostname: string, options: LookupAllOptions, callback: ResolverCallback) => void

type ResolverCallback = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void

/** How names are looked up. */
export interface NamesResolverOptions {
  /** Lookups at a time. Default 2. */
  readonly concurrency?: number | undefined
  /** Names that wait for their turn; what comes then fails. Default 1000. */
  readonly maxWaiting?: number | undefined
  /** How long a name waits for its turn, in milliseconds: whoever asked has given up by then. Default 10 000. */
  readonly maxWaitMs?: number | undefined
  /** Instead of the system's resolver. */
  readonly resolve?: Resolver | undefined
  /** Milliseconds, on a clock that nobody sets back. */
  readonly now?: (() => number) | undefined
}

/** How long addresses are remembered, and failures that may pass, in milliseconds. */
const FOUND_MS = 1000
/** The same, for names that there are not. */
const UNKNOWN_MS = 5000
/** Names of a generation that are remembered: clients that name ever other hosts push against it. */
const MAX_NAMES = 500
/** An answer with more addresses is not remembered: who answers for a name chooses how many. */
const MAX_ADDRESSES = 64
/** The longest name there can be, its last dot included (RFC 1035 §2.3.4). */
const MAX_NAME_CHARACTERS = 254

interface Outcome {
  readonly error: NodeJS.ErrnoException | null
  readonly addresses: LookupAddress[]
}

/** A name that is looked up, or waits for it, and who wants to know. */
interface Flight {
  readonly key: string
  readonly since: number
  readonly callbacks: ResolverCallback[]
  readonly start: (done: ResolverCallback) => void
}

/**
 * A resolver that leaves room for others. The whole process looks up two names at a time (libuv lets
 * lookups have half of its four threads), in the order of asking: clients that name hosts whose
 * servers do not answer would have everybody else wait behind all of them. A name is looked up once for all who ask at the same time, and shortly after. What comes of it is not
 * checked here: that is for everyone who connects.
 *
 * Errors: the system's; `EAI_AGAIN` where too many names wait, or one waited too long.
 *
 * @example
 * const names = namesResolver()
 * const connect = guardedConnect({ addresses: 'public', connectTimeoutMs: 5000, lookup: names })
 */
export function namesResolver ({ concurrency = 2, maxWaiting = 1000, maxWaitMs = 10_000, resolve = resolveName, now = () => performance.now() }: NamesResolverOptions = {}): Resolver {
  const flights = new Map<string, Flight>()
  const waiting: Flight[] = []
  const known = new Recent<string, Outcome & { until: number }>(MAX_NAMES)
  let running = 0

  function end (flight: Flight, { error, addresses }: Outcome): void {
    flights.delete(flight.key)
    for (const callback of flight.callbacks) callback(error, [...addresses])
  }

  function startNext (): void {
    while (running < concurrency) {
      const flight = waiting.shift()
      if (flight === undefined) return
      if (now() - flight.since > maxWaitMs) end(flight, failed('EAI_AGAIN', 'The name waited too long to be looked up'))
      else start(flight)
    }
  }

  function start (flight: Flight): void {
    running++
    flight.start((error, addresses) => {
      running--
      const outcome = { error, addresses: error === null ? addresses : [] }
      if (outcome.addresses.length <= MAX_ADDRESSES) known.set(flight.key, { ...outcome, until: now() + (error?.code === 'ENOTFOUND' ? UNKNOWN_MS : FOUND_MS) })
      startNext()
      end(flight, outcome)
    })
  }

  return function resolveInTurn (hostname, options, callback) {
    const later = ({ error, addresses }: Outcome): void => queueMicrotask(() => callback(error, [...addresses]))
    if (hostname.length > MAX_NAME_CHARACTERS) return later(failed('ENOTFOUND', 'No name is as long'))
    const key = `${hostname} ${options.family ?? 0} ${options.hints ?? 0}`
    const remembered = known.get(key)
    if (remembered !== undefined && remembered.until > now()) return later(remembered)
    const flight = flights.get(key)
    if (flight !== undefined) return void flight.callbacks.push(callback)
    if (waiting.length >= maxWaiting) return later(failed('EAI_AGAIN', 'Too many names wait to be looked up'))
    const made: Flight = { key, since: now(), callbacks: [callback], start: done => resolve(hostname, { ...options, all: true }, done) }
    flights.set(key, made)
    waiting.push(made)
    startNext()
  }
}

function failed (code: string, message: string): Outcome {
  return { error: Object.assign(new Error(message), { code, syscall: 'getaddrinfo' }), addresses: [] }
}
