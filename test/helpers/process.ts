import { readdirSync, readlinkSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

/** How many open descriptors of this process lead below a directory. */
export function openBelow (directory: string): number {
  return readdirSync('/proc/self/fd').filter(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory)
    } catch {
      return false // closed since it was listed: the listing's own
    }
  }).length
}

/** Waits until something is so, and fails where it does not come to be: true, for an assertion with a name. */
export async function eventually (isSo: () => boolean | Promise<boolean>, limitMs = 20_000): Promise<true> {
  const end = Date.now() + limitMs
  while (!await isSo()) {
    if (Date.now() > end) throw new Error(`Expected ${isSo.toString()} within ${limitMs} ms`)
    await wait(10)
  }
  return true
}

/** From now on: milliseconds of processor time that this process has used, whatever else the machine does meanwhile. */
export function cpuClock (): () => number {
  const before = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  }
}

/** Milliseconds of processor time that something takes. */
export function cpuMs (work: () => void): number {
  const took = cpuClock()
  work()
  return took()
}

/** A port that nobody listens on, as far as one can know. */
export async function freePort (host = '127.0.0.1'): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, host, resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

/** Whether somebody listens on a port of this machine. */
export async function accepts (port: number): Promise<boolean> {
  return await new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true) })
    socket.on('error', () => resolve(false))
  })
}
