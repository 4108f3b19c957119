import { resolve } from 'node:path'
import { loadConfig } from '../lib/config/load.ts'
import { directoryConfig } from '../lib/config/options.ts'
import { MediaError } from '../lib/errors.ts'
import { warm as warmTree } from '../lib/warm.ts'
import { readEnvironment } from './environment.ts'
import { Progress } from './progress.ts'
import { reasonOf } from './reason.ts'
import { readArguments, UsageError } from './usage.ts'

/** As a shell tells that a process was ended by SIGINT. */
const INTERRUPTED = 130

/** Workers at most: each takes a process and its memory. */
const MAX_WORKERS = 256

/** `fastify-media warm [DIRECTORY]`: makes the variants of all pictures before anyone asks. */
export default async function warm (args: string[]): Promise<void> {
  const { values, positional: directory } = readArguments(args, {
    config: { type: 'string' },
    mount: { type: 'string' },
    preset: { type: 'string', multiple: true },
    query: { type: 'string', multiple: true },
    concurrency: { type: 'string' }
  })
  if (directory !== undefined && values.config !== undefined) throw new UsageError('Expected either a directory or --config but received both')
  const concurrency = workersOf(values.concurrency)
  const environment = await readEnvironment()
  const { config } = await loadConfig({
    cwd: process.cwd(),
    environment,
    file: values.config ?? (directory === undefined ? undefined : null),
    fallback: directoryConfig(directory ?? environment.MEDIA_ROOT)
  })
  const progress = new Progress(process.stderr)
  const stop = new AbortController()
  const onSignal = (signal: NodeJS.Signals): void => stop.abort(new Error(signal))
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal) // the second ends it at once
  try {
    const { failed } = await warmTree(config, {
      base: resolve('.'),
      mount: values.mount,
      presets: values.preset,
      queries: values.query,
      concurrency,
      signal: stop.signal,
      onNews: news => progress.take(news),
      onTotal: process.stderr.isTTY ? total => { progress.total = total } : undefined,
      log: { warn (facts, message) { if ('err' in facts) progress.say(`${message}: ${reasonOf(facts.err)}`) } }
    })
    progress.end()
    console.log(progress.summary())
    if (failed > 0) process.exitCode = 1
  } catch (error) {
    progress.end()
    process.exitCode = toldEnd(error, stop.signal.aborted ? progress.summary() : undefined)
  }
}

/**
 * Tells why there is no more.
 *
 * @param stopped what was done until someone stopped it
 * @returns the exit code
 * @throws what is nobody's mistake
 */
function toldEnd (error: unknown, stopped: string | undefined): number {
  if (stopped !== undefined) {
    console.log(`Stopped. ${stopped}. Run it again to go on`)
    return INTERRUPTED
  }
  if (!(error instanceof MediaError)) throw error
  console.error(reasonOf(error))
  return 1
}

function workersOf (text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,2}$/.test(text) || Number(text) > MAX_WORKERS) throw new UsageError(`Expected --concurrency to be a number from 1 to ${MAX_WORKERS} but received ${text}`)
  return Number(text)
}
