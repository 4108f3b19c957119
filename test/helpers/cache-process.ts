import { spawn } from 'node:child_process'
import type { Test } from './app.ts'

/** A process of `cache-child.ts`. */
export interface CacheChild {
  /** What it said so far. */
  lines (): string[]
  errors (): string
  say (text: string): void
  /** Ends it without a word. */
  kill (): Promise<void>
}

/** Starts another process that shares a cache, for at most the length of a test. */
export function cacheChild (t: Test, parameters: readonly string[]): CacheChild {
  const child = spawn(process.execPath, ['--import=./test/loader/ts.mjs', 'test/helpers/cache-child.ts', ...parameters], { env: { ...process.env, NODE_OPTIONS: '' } })
  const exited = new Promise(resolve => child.once('exit', resolve))
  let said = ''
  let errors = ''
  child.stdout.on('data', (chunk: Buffer) => { said += chunk.toString() })
  child.stderr.on('data', (chunk: Buffer) => { errors += chunk.toString() })
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exited
  }
  t.teardown(kill)
  return {
    lines: () => said.split('\n').slice(0, -1),
    errors: () => errors,
    say: text => { child.stdin.write(text) },
    kill
  }
}
