import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import type { Test } from '../app.ts'

/** A server that listens and then never looks up again. */
const program = `
const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
  require('node:fs').writeSync(1, String(server.address().port))
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
})`

/** More than any kernel queues beyond a backlog of 1. */
const MANY = 64

/** An origin whose queue of connections is full: a further one is neither accepted nor refused. Closed after the test. */
export async function deafOrigin (t: Test): Promise<{ url: string, port: number }> {
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, NODE_OPTIONS: '' } })
  const exited = once(child, 'exit')
  const sockets: Socket[] = []
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    child.kill('SIGKILL')
    await exited
  })
  const [said] = await once(child.stdout, 'data') as [Buffer]
  const port = Number(said.toString())
  for (let isFull = false; !isFull;) {
    if (sockets.length > MANY) throw new Error('Expected the queue of a deaf origin to be full')
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    sockets.push(socket)
    isFull = !await Promise.race([once(socket, 'connect').then(() => true), wait(1000, false)])
  }
  return { url: `http://127.0.0.1:${port}`, port }
}
