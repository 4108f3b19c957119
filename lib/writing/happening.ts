import type { Written } from '../sources/writing.ts'
import { factsOf, type FileEvent, type PendingEvent } from './parts.ts'

/** Tells of what is about to happen, does it, and tells that it did, or that it did not. */
export async function happening<T> (pending: readonly PendingEvent[], action: () => Promise<T>, facts: (done: T) => Partial<FileEvent>): Promise<T> {
  let done: T
  try {
    done = await action()
  } catch (error) {
    await Promise.all(pending.map(async each => await each.drop()))
    throw error
  }
  await Promise.all(pending.map(async (each, place) => await each.confirm(place === 0 ? facts(done) : {})))
  return done
}

/** What is told of a file that was written. */
export function factsOfWritten ({ found, replaced }: Written): Partial<FileEvent> {
  return { ...factsOf(found), type: replaced === undefined ? 'file.created' : 'file.replaced' }
}
