import { loadConfig } from '../lib/config/load.ts'
import { directoryConfig } from '../lib/config/options.ts'
import { DeadLetters, type DeadLetter } from '../lib/events/dead-letters.ts'
import { EventsLayout } from '../lib/events/layout.ts'
import { readEnvironment } from './environment.ts'
import { reasonOf } from './reason.ts'
import { readManyArguments, UsageError } from './usage.ts'

type Action = 'list' | 'replay' | 'remove'

const actions: readonly string[] = ['list', 'replay', 'remove'] satisfies Action[]

/** What a terminal would act on, or show as something else: control characters, and those that turn the direction of writing. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** `fastify-media dead-letters`: lists the messages that no receiver took, has servers send them again, or removes them. */
export default async function deadLetters (args: string[]): Promise<void> {
  const { values, positionals: [action = 'list', ...ids] } = readManyArguments(args, { config: { type: 'string' }, webhook: { type: 'string' }, json: { type: 'boolean' }, all: { type: 'boolean' } })
  const { all = false, json = false, webhook } = values
  if (!isAction(action)) throw new UsageError(`Expected list, replay or remove but received ${action}`)
  if (action === 'list' && (ids.length > 0 || all)) throw new UsageError('Expected nothing behind list: it lists all')
  if (action !== 'list' && json) throw new UsageError('Expected --json with list alone')
  if (action === 'remove' && all) throw new UsageError('Expected the ids of what is removed: what is gone cannot be brought back')
  if (action !== 'list' && !all && ids.length === 0) throw new UsageError(`Expected the ids of what to ${action}${action === 'replay' ? ', or --all' : ''}`)
  if (all && ids.length > 0) throw new UsageError('Expected either ids or --all but received both')

  const environment = await readEnvironment()
  const { config } = await loadConfig({ cwd: process.cwd(), environment, file: values.config, fallback: directoryConfig(environment.MEDIA_ROOT) })
  const letters = new DeadLetters(new EventsLayout(config.uploads.directory))
  const found = letters.list(webhook === undefined ? undefined : `webhooks.${webhook}`)
  try {
    if (action === 'list') await list(found, json)
    else await act(action, letters, { found, ids: all ? undefined : new Set(ids) })
  } catch (error) {
    fail(reasonOf(error))
  }
}

function isAction (text: string): text is Action {
  return actions.includes(text)
}

async function list (letters: AsyncIterable<DeadLetter>, json: boolean): Promise<void> {
  for await (const letter of letters) {
    const row = rowOf(letter)
    console.log(json ? shown(JSON.stringify(row)) : [row.id, row.type, shown(JSON.stringify(row.path)), row.receiver, `${row.attempts} ${row.attempts === 1 ? 'attempt' : 'attempts'}`, shown(row.failure), row.time].join('\t'))
  }
}

function rowOf ({ id, receiver, diedMs, message }: DeadLetter): { id: string, type: string, path: string, receiver: string, attempts: number, failure: string, time: string } {
  const { event, death } = message ?? {}
  return { id, type: event?.type ?? 'unreadable', path: event?.path ?? '', receiver, attempts: death?.attempts ?? 0, failure: death?.failure ?? 'unknown', time: new Date(diedMs).toISOString() }
}

/** With escapes that JSON has as well. */
function shown (text: string): string {
  return text.replaceAll(unprintable, character => Array.from({ length: character.length }, (_, place) => `\\u${character.charCodeAt(place).toString(16).padStart(4, '0')}`).join(''))
}

async function act (action: 'replay' | 'remove', letters: DeadLetters, { found, ids }: { found: AsyncIterable<DeadLetter>, ids: ReadonlySet<string> | undefined }): Promise<void> {
  const missing = new Set(ids)
  let count = 0
  for await (const letter of found) {
    if (ids !== undefined && !ids.has(letter.id)) continue
    missing.delete(letter.id)
    await letters[action](letter)
    count++
  }
  const noun = count === 1 ? 'dead letter' : 'dead letters'
  console.log(action === 'remove' ? `Removed ${count} ${noun}` : `${count} ${noun} will be sent again by the server that runs, or starts next`)
  if (missing.size > 0) fail(`There is no dead letter of this id: ${shown([...missing].join(', '))}`)
}

function fail (message: string): void {
  console.error(message)
  process.exitCode = 1
}
