import { randomBytes } from 'node:crypto'
import { stringify } from 'yaml'
import { keyHash, MAX_KEY_BYTES } from '../lib/access/api-keys.ts'
import { readArguments, UsageError } from './usage.ts'

/** Of 256 random bits, in bytes: nobody guesses them, whoever sees the hash. */
const KEY_BYTES = 32
/** By it people, and programs that look for secrets in public places, know what it is. */
const KEY_PREFIX = 'fm_'
/** The shortest key of others that is hashed, in characters: what is shorter can be found by trying. */
const MIN_KEY_CHARACTERS = 16

/** As the configuration has it. */
const keyName = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/

/** `fastify-media key NAME`: makes a key, and what the configuration has to say of it. With `--hash`, the hash of a key that there is. */
export default async function key (args: string[], { input = process.stdin }: { input?: AsyncIterable<Buffer | string> } = {}): Promise<void> {
  const { values, positional: name } = readArguments(args, { hash: { type: 'boolean' } })
  if (values.hash === true) {
    if (name !== undefined) throw new UsageError('Expected either a name or --hash but received both: the key is read from the standard input')
    return console.log(keyHash(await readKey(input)))
  }
  if (name === undefined) throw new UsageError('Expected a name for the key, by which the log tells it')
  if (!keyName.test(name)) throw new UsageError('Expected a name of up to 64 letters, digits, - and _, the first a letter or digit')
  const made = KEY_PREFIX + randomBytes(KEY_BYTES).toString('base64url')
  console.log(`${made}\n\n${stringify([{ name, hash: keyHash(made) }]).trimEnd()}`)
  console.error('The first line is the key: it is shown this once. The others are for `keys` of the strategy in the configuration.')
}

/** @throws {UsageError} never with any of what was read */
async function readKey (input: AsyncIterable<Buffer | string>): Promise<string> {
  let text = ''
  for await (const chunk of input) {
    text += chunk.toString('latin1')
    if (text.length > MAX_KEY_BYTES + '\r\n'.length) break
  }
  const found = text.replace(/\r?\n$/, '')
  if (found.length > MAX_KEY_BYTES) throw new UsageError(`Expected a key of at most ${MAX_KEY_BYTES} bytes`)
  if (!/^[\x21-\x7E]*$/.test(found)) throw new UsageError('Expected a key of visible ASCII characters: fields carry no others alike')
  if (found.length < MIN_KEY_CHARACTERS) throw new UsageError(`Expected a key of at least ${MIN_KEY_CHARACTERS} characters: shorter ones can be found by trying`)
  return found
}
