import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { destination } from 'pino'

/** Lines are handed on together when this many characters are there, or after {@link DELAY_MS}. */
const BATCH_LENGTH = 65_536
const DELAY_MS = 1000

/** What may wait to be written; lines beyond it are dropped. Against a full disk, or a pipe that nobody reads. */
const BACKLOG_BYTES = 16 * 1024 * 1024

/** How long the end waits for the last lines. A disk that is full never takes them. */
const LAST_WRITE_MS = 1000

/** Where pino writes its lines. */
export interface LogOutput {
  write (line: string): void
  /** Hands on what was held back: what pino's destination has, it writes also when the process ends. */
  handOn (): void
  /** Writes all there is, and takes no more notice of time. */
  end (): Promise<void>
}

/**
 * Opens the file that log lines are appended to, or standard output. A fault later on is told
 * once and survived: a server whose disk is full goes on serving.
 *
 * @param file a path; standard output without it
 * @param tellFault what a fault is told to
 * @throws {Error} where the file cannot be opened
 */
export async function openLogOutput (file: string | undefined, tellFault: (error: Error) => void): Promise<LogOutput> {
  const output = destination({ ...(file === undefined ? {} : { dest: file, append: true, mkdir: true }), sync: false, maxLength: BACKLOG_BYTES })
  const opened = once(output, 'ready')
  survive(output, tellFault)
  await opened
  // The destination could hold lines back itself, but it measures all it holds anew with each
  // line: a twelfth of what a hot file costs.
  let lines: string[] = []
  let length = 0
  const handOn = (): void => {
    if (length === 0) return
    const text = lines.join('')
    lines = []
    length = 0
    output.write(text)
  }
  const flush = async (): Promise<void> => await new Promise(resolve => output.flush(() => resolve()))
  const timer = setInterval(handOn, DELAY_MS).unref()
  return {
    write (line) {
      lines.push(line)
      length += line.length
      if (length >= BATCH_LENGTH) handOn()
    },
    handOn,
    async end () {
      clearInterval(timer)
      handOn()
      // The first may tell of a write that was under way before the last lines came.
      await Promise.race([flush().then(flush), sleep(LAST_WRITE_MS)])
    }
  }
}

function survive (output: ReturnType<typeof destination>, tellFault: (error: Error) => void): void {
  let failing = true // until it is open
  output.once('ready', () => {
    failing = false
    output.on('error', (error: Error) => {
      if (!failing) tellFault(error)
      failing = true
    })
    output.on('write', () => { failing = false })
  })
  // What pino calls when the process ends would try without end.
  const flushSync = output.flushSync.bind(output)
  output.flushSync = function flushUnlessFailing () { if (!failing) flushSync() }
}
