import { Readable } from 'node:stream'
import type { Fields, UpstreamResponse } from '../message.ts'

/** Where a ticket lies among the request fields that @fastify/reply-from carries. */
export const TICKET = Symbol('ticket')

/** One exchange, told before it is begun. */
export interface Ticket {
  /** Begins it. Never rejects: a failure is an outcome that `answer` tells. */
  send (): Promise<void>
  /** Once it was sent: the answer, unless it failed. */
  readonly answer: UpstreamResponse | undefined
  /** What was to follow the answer failed. */
  broke (error: unknown): void
}

interface Asked {
  readonly headers: Fields & { readonly [TICKET]: Ticket }
}

interface Told {
  readonly statusCode: number
  readonly headers: Fields
  readonly body: Readable
}

/**
 * Stands in the place of an undici dispatcher in @fastify/reply-from, which hands on to it
 * nothing but the ticket. What reply-from does with undici's own answers and errors, it cannot
 * do to these: a failure comes to it as an answer without fields, so that it answers nothing by
 * itself, copies nothing of the origin's, and tries nothing again.
 */
export const requester = {
  request ({ headers: { [TICKET]: ticket } }: Asked, answered: (error: Error | null, told: Told) => void): void {
    void exchange(ticket, told => answered(null, told))
  }
}

async function exchange (ticket: Ticket, answered: (told: Told) => void): Promise<void> {
  try {
    await ticket.send()
    const { status = 502, headers = {}, body } = ticket.answer ?? {}
    answered({ statusCode: status, headers: { ...headers }, body: body instanceof Readable ? body : Readable.from([]) })
  } catch (error) {
    ticket.broke(error)
  }
}
