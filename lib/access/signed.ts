import { list, record, type Loose } from '../config/loose.ts'
import type { SignedConfig } from '../config/access-schema.ts'
import type { Mistake } from '../config/mistakes.ts'
import { maskSignatures, placeOfSignature } from '../signing/signed-target.ts'
import { SignatureVerifier, type SigningSecret } from '../signing/verifier.ts'
import type { AccessLog, AccessRequest, SignedState, Strategy, Verdict } from './access.ts'
import { secretMistake } from './secrets.ts'

export { hasSignature, withoutSignature } from '../signing/signed-target.ts'

/** How often one reason is logged where nobody is refused, in milliseconds: whoever asks could fill the log. */
const LOG_INTERVAL_MS = 1000

/** What signed URLs are checked by. */
export interface SignedOptions {
  /** As the configuration has it. */
  readonly name: string
  readonly config: Omit<SignedConfig, 'driver' | 'keys'>
  /** All of the configuration's keys, with what their files hold. */
  readonly secrets: readonly SigningSecret[]
  readonly log: AccessLog
  /** Milliseconds since 1970: the clock's by default. */
  readonly now?: (() => number) | undefined
}

/** URLs that carry their own permission: a signature as their last parameter. */
export class SignedStrategy implements Strategy {
  readonly name: string
  readonly challenge = 'SignedURL realm="fastify-media"'
  readonly fields: readonly string[] = []
  readonly report?: (reason: string, target: string) => void
  readonly #verifier: SignatureVerifier
  readonly #mode: SignedConfig['mode']
  readonly #log: AccessLog
  readonly #now: () => number
  #granted = 0
  readonly #refused = new Map<string, { count: number, loggedAt: number }>()

  constructor ({ name, config, secrets, log, now = Date.now }: SignedOptions) {
    this.name = name
    this.#verifier = new SignatureVerifier(secrets, config)
    this.#mode = config.mode
    this.#log = log
    this.#now = now
    if (config.mode === 'report-only') this.report = (reason, target) => { this.#report(reason, target) }
  }

  get state (): SignedState {
    const refused = Object.fromEntries(Array.from(this.#refused, ([reason, { count }]) => [reason, count]))
    return { mode: this.#mode, granted: this.#granted, refused }
  }

  judge (request: AccessRequest): Verdict {
    const { target } = request
    const place = placeOfSignature(target)
    if (place === -1) return { kind: 'absent' }
    const verification = this.#verifier.verify(request, place, this.#now())
    if ('refusal' in verification) {
      if (this.report === undefined) this.#count(verification.refusal)
      return { kind: 'denied', reason: verification.refusal }
    }
    this.#granted++
    return { kind: 'granted', principal: { strategy: this.name, name: verification.id, isShared: true }, target: target.slice(0, place), isPassing: verification.isPassing }
  }

  #report (reason: string, target: string): void {
    const told = this.#count(reason)
    const now = this.#now()
    if (Math.abs(now - told.loggedAt) < LOG_INTERVAL_MS) return // a clock may be set back
    told.loggedAt = now
    const [path = ''] = target.split('?', 1)
    this.#log.warn({ strategy: this.name, reason, count: told.count, path: maskSignatures(path) }, 'A signed URL would be refused')
  }

  #count (reason: string): { count: number, loggedAt: number } {
    const told = this.#refused.get(reason) ?? { count: 0, loggedAt: -Infinity }
    this.#refused.set(reason, told)
    told.count++
    return told
  }
}

/**
 * What is wrong with a strategy's keys. Shows none of them.
 *
 * @param config which may be wrong anywhere
 * @param secrets in the order of the keys; undefined where one could not be read, which is told elsewhere
 */
export function signedMistakes (config: Loose, secrets: ReadonlyArray<string | undefined>): Mistake[] {
  const keys = list(config.keys).map(record)
  const ids = keys.map(({ id }) => id)
  const isUsable = keys.length === 0 || keys.some(({ revoked }) => revoked !== true)
  return [
    ...(isUsable ? [] : [{ path: 'keys', message: 'Expected a key that is not revoked' }]),
    ...keys.flatMap((key, place) => keyMistakes(key, `keys[${place}]`, secrets[place])),
    ...secrets.flatMap((secret, place) => {
      const first = secrets.indexOf(secret)
      return secret === undefined || first === place ? [] : [{ path: `keys[${place}]`, message: `Expected a secret of its own, but it is that of keys[${first}]` }]
    }),
    ...ids.flatMap((id, place) => {
      const first = ids.indexOf(id)
      return first === place || typeof id !== 'string' ? [] : [{ path: `keys[${place}].id`, message: `Expected an id of its own, but ${id} is that of keys[${first}]` }]
    })
  ]
}

function keyMistakes ({ secret, secretFile }: Loose, path: string, text: string | undefined): Mistake[] {
  if (secret === undefined && secretFile === undefined) return [{ path, message: 'Expected a secret or a secretFile' }]
  if (secret !== undefined && secretFile !== undefined) return [{ path, message: 'Expected either a secret or a secretFile but received both' }]
  const mistake = text === undefined ? undefined : secretMistake(text)
  return mistake === undefined ? [] : [{ path: `${path}.${secret === undefined ? 'secretFile' : 'secret'}`, message: `Expected a secret that cannot be guessed, but it ${mistake}` }]
}
