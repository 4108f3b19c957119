import type { Sender } from '../upstream/message.ts'

/** Senders by origin as one, so that one cache stands before all of them: clients may name ever other origins. */
export interface OneForAll {
  /** Takes `/https://host/path`, and asks that host for `/path`. */
  readonly sender: Sender
  /** A sender for one origin, by way of what stands before `sender`. */
  readonly to: (origin: string, front: Sender) => Sender
}

/**
 * @param name by which problems call all of them
 * @param senderOf who asks an origin: its path and query are not looked at
 */
export function oneForAll (name: string, senderOf: (url: URL) => Sender): OneForAll {
  return {
    sender: {
      name,
      async send (request) {
        const { path } = request
        const end = path.indexOf('/', path.indexOf('://') + 3)
        return await senderOf(new URL(path.slice(1, end))).send({ ...request, path: path.slice(end) })
      }
    },
    to: (origin, front) => ({ name, send: async request => await front.send({ ...request, path: `/${origin}${request.path}` }) })
  }
}
