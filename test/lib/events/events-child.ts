// Another process with events of its own: `DIRECTORY URL`. It tells of /photos/told, announces /photos/maybe
// and /photos/never, says so, and goes on until it is killed.
import { openEvents } from '../../../lib/events/open.ts'
import { event, webhook } from './telling.ts'

const [directory = '', url = ''] = process.argv.slice(2)
const uploads = { directory, maxConcurrent: 1, stallMs: 1, timeoutMs: 1, expiryMs: 1 }
const log = { info () {}, warn () {} }
const events = await openEvents({ events: { webhooks: { search: webhook(url) } }, uploads }, { log, resolve: async () => undefined })
const told = event({ path: '/photos/told' })
await (await events.announce(told)).confirm({ size: 7 })
const maybe = event({ path: '/photos/maybe' })
await events.announce(maybe)
await events.announce(event({ path: '/photos/never' }))
process.stdout.write(`${told.id} ${maybe.id}\n`)
setInterval(() => undefined, 1000)
