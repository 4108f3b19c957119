import { spawn } from 'node:child_process'
import type { Test } from './app.ts'

/** Another process, of a program beside this one. */
export interface Child {
  /** What it said so far, in whole lines. */
  lines (): string[]
  errors (): string
  say (text: string): void
  /** Ends it without a word; what it said before is there. */
  kill (): Promise<void>
}

/** Starts a program of this directory in a process of its own, for at most the length of a test. */
export function childOf (t: Test, program: 'cache-child' | 'writing-child', parameters: readonly string[]): Child {
  const child = spawn(process.execPath, ['--import=./test/loader/ts.mjs', `test/helpers/${program}.ts`, ...parameters], { env: { ...process.env, NODE_OPTIONS: '' } })
  const closed = new Promise(resolve => child.once('close', resolve))
  let said = ''
  let errors = ''
  child.stdout.on('data', (chunk: Buffer) => { said += chunk.toString() })
  child.stderr.on('data', (chunk: Buffer) => { errors += chunk.toString() })
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await closed
  }
  t.teardown(kill)
  return {
    lines: () => said.split('\n').slice(0, -1),
    errors: () => errors,
    say: text => { child.stdin.write(text) },
    kill
  }
}
