import { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Settles when a pipelined response is the next to be sent, or its connection is closed. Until
 * then nothing is opened: one packet may hold a thousand requests.
 */
export async function turnOf (response: ServerResponse, socket: Socket): Promise<void> {
  if (!(response instanceof ServerResponse) || response.socket !== null) return
  await new Promise<void>(resolve => {
    const turns = turnsOf(socket)
    turns.add(resolve)
    response.once('socket', () => {
      turns.delete(resolve)
      resolve()
    })
  })
}

const turnsBySocket = new WeakMap<Socket, Set<() => void>>()

/** Whoever waits for a turn on a connection. One listener lets all of them go, however many wait. */
function turnsOf (socket: Socket): Set<() => void> {
  let turns = turnsBySocket.get(socket)
  if (turns === undefined) {
    const waiting = turns = new Set()
    turnsBySocket.set(socket, turns)
    socket.once('close', function endTurns () {
      for (const resolve of waiting) resolve()
    })
  }
  return turns
}
