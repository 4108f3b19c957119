import { setTimeout as wait } from 'node:timers/promises'
import type { Origin, Origins } from './origins.ts'

/** When origins are asked whether they are well, and what is made of the answers. */
export interface HealthCheckOptions {
  /** Below the base path of the origin. */
  readonly path: string
  /** Milliseconds from one question to the next, give or take {@link JITTER}. */
  readonly intervalMs: number
  /** Milliseconds that an answer may take. */
  readonly timeoutMs: number
  /** Good answers in a row that bring an origin back. */
  readonly healthy: number
  /** Bad ones in a row that take it out. */
  readonly unhealthy: number
  /** Numbers from 0 to 1, for the jitter. */
  readonly random?: () => number
}

/**
 * Asks one origin. @returns the status of its answer. It must settle when the signal is aborted;
 * whatever it throws counts as a bad answer.
 */
export type Probe = (origin: Origin, path: string, signal: AbortSignal) => Promise<number>

/** Checks that go on. */
export interface HealthChecks {
  /** Ends them; settles when no probe is under way any more. */
  stop (): Promise<void>
}

/** Share of the interval that it may be longer or shorter: many servers must not ask in step. */
const JITTER = 0.1

/**
 * Asks each origin at its own pace whether it is well, one question at a time, and tells the
 * balance what came of it. All count as well until they are found otherwise. The clock of the
 * checks keeps no process alive.
 */
export function startHealthChecks (origins: Pick<Origins, 'all' | 'setHealth'>, options: HealthCheckOptions, probe: Probe): HealthChecks {
  const { random = Math.random } = options
  const stopping = new AbortController()
  const checks = origins.all.map(async origin => await check(origin))

  async function check (origin: Origin): Promise<void> {
    const note = thresholds(options)
    let waitMs = random() * options.intervalMs
    while (await pause(waitMs, stopping.signal)) {
      const began = performance.now()
      const good = await isWell(origin)
      if (stopping.signal.aborted) return
      const healthy = note(good)
      if (healthy !== undefined) origins.setHealth(origin, healthy)
      waitMs = options.intervalMs * (1 + JITTER * (2 * random() - 1)) - (performance.now() - began)
    }
  }

  async function isWell (origin: Origin): Promise<boolean> {
    const asking = new AbortController()
    const end = (): void => asking.abort()
    const timer = setTimeout(end, options.timeoutMs).unref()
    stopping.signal.addEventListener('abort', end)
    try {
      const status = await probe(origin, options.path, asking.signal)
      return status >= 200 && status < 400 && !asking.signal.aborted
    } catch {
      return false
    } finally {
      clearTimeout(timer)
      stopping.signal.removeEventListener('abort', end)
    }
  }

  return {
    async stop () {
      stopping.abort()
      await Promise.all(checks)
    }
  }
}

/** Counts answers in a row. The function tells the new health where it has changed. */
function thresholds ({ healthy, unhealthy }: HealthCheckOptions): (good: boolean) => boolean | undefined {
  let well = true
  let against = 0
  return function note (good) {
    against = good === well ? 0 : against + 1
    if (against < (well ? unhealthy : healthy)) return undefined
    well = good
    against = 0
    return well
  }
}

/** @returns whether the time went by without an end */
async function pause (ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await wait(Math.max(0, ms), undefined, { signal, ref: false })
    return true
  } catch {
    return false
  }
}
