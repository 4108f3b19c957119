import { hash } from 'node:crypto'
import { Recent } from '../cache/recent.ts'
import { SingleFlight } from '../cache/single-flight.ts'
import type { ForwardConfig } from '../config/access-schema.ts'
import { list, type Loose } from '../config/loose.ts'
import type { Mistake } from '../config/mistakes.ts'
import type { AccessLog, AccessRequest, Strategy, Verdict } from './access.ts'
import { answerReaders, type ReadAnswer } from './policy-answer.ts'
import { isTellable, questions, type MakeQuestion, type PolicyQuestion } from './policy-question.ts'
import type { ServiceAnswer, ServiceClient, ServiceError } from './service-request.ts'

/** Milliseconds between two warnings of one kind: a service that is gone fails with every request. */
const WARN_MS = 1000

/** When a client may come again: by then a service that was restarted may be back. */
const RETRY_AFTER_SECONDS = 1

/** What a {@link ForwardStrategy} needs. */
export interface ForwardOptions {
  readonly name: string
  readonly config: ForwardConfig
  /** Closed with the strategy. */
  readonly client: Pick<ServiceClient, 'ask' | 'close'>
  readonly log: AccessLog
  /** In milliseconds, of a clock that never goes back. */
  readonly now?: () => number
}

/** An answer, and until when it is believed. */
interface Kept {
  readonly verdict: Verdict
  readonly until: number
}

/**
 * Another service decides: Open Policy Agent, or any that answers nginx's `auth_request`. Where
 * it does not answer, or not what it should, nobody gets in (503).
 *
 * It is asked whether or not there are credentials, since a policy may be public for some paths.
 * Answers are kept for a short time by all that the service was told, so that two clients share
 * one only where it could not tell them apart. A withdrawn permission holds for `cacheMs` after
 * the last question at most, or for as long as that question took, if that was longer.
 */
export class ForwardStrategy implements Strategy {
  readonly name: string
  readonly challenge: string | undefined
  readonly fields: readonly string[]
  /** A cookie is not one: the session it carries may be the origin's business too. */
  readonly credentials: readonly string[]
  readonly #isAnonymous: (request: AccessRequest) => boolean
  readonly #question: MakeQuestion
  readonly #read: ReadAnswer
  readonly #client: ForwardOptions['client']
  readonly #log: AccessLog
  readonly #now: () => number
  readonly #cacheMs: number
  /** By a hash: a memory dump shows no credentials. */
  readonly #kept: Recent<string, Kept>
  readonly #flights = new SingleFlight<Verdict>()
  /** When each kind of fault was told last. Kinds are few: fixed words, and a status. */
  readonly #warned = new Map<string, number>()

  constructor ({ name, config, client, log, now = () => performance.now() }: ForwardOptions) {
    const names = [...new Set(config.headers.map(field => field.toLowerCase()))].filter(isTellable)
    this.name = name
    this.fields = names.map(canonical)
    this.credentials = names.filter(field => field === 'authorization')
    // Of what kind the credentials have to be, a service could only tell each time.
    this.challenge = this.credentials.length > 0 ? 'Bearer realm="fastify-media"' : undefined
    // OPA has no answer that asks for credentials: whoever sent none is asked for them.
    this.#isAnonymous = config.protocol === 'opa' && this.challenge !== undefined ? ({ headers }) => names.every(field => headers[field] === undefined) : () => false
    this.#question = questions(config.protocol, names)
    this.#read = answerReaders[config.protocol]
    this.#client = client
    this.#log = log
    this.#now = now
    this.#cacheMs = config.cacheMs
    this.#kept = new Recent(Math.ceil(config.maxCached / 2)) // it keeps two generations
  }

  /** @throws {MediaError} `bad-path`, where the service could read another path than is served */
  judge (request: AccessRequest): Verdict | Promise<Verdict> {
    const verdict = this.#decision(this.#question(request))
    if (!this.#isAnonymous(request)) return verdict
    return verdict instanceof Promise ? verdict.then(orAbsent) : orAbsent(verdict)
  }

  #decision (question: PolicyQuestion): Verdict | Promise<Verdict> {
    if (this.#cacheMs === 0) return this.#ask(question)
    const key = hash('sha256', question.told, 'base64url')
    const kept = this.#kept.get(key)
    if (kept !== undefined && this.#now() < kept.until) return kept.verdict
    return this.#flights.run(key, async () => await this.#askAndKeep(key, question))
  }

  async close (): Promise<void> {
    this.#kept.clear()
    await this.#client.close()
  }

  async #askAndKeep (key: string, question: PolicyQuestion): Promise<Verdict> {
    const until = this.#now() + this.#cacheMs // the service may have decided as soon as it was asked
    const verdict = await this.#ask(question)
    if (verdict.kind !== 'unavailable') this.#kept.set(key, { verdict, until })
    return verdict
  }

  async #ask ({ method, headers, body }: PolicyQuestion): Promise<Verdict> {
    let answer: ServiceAnswer
    try {
      answer = await this.#client.ask({ method, headers, body })
    } catch (error) {
      // Its cause may quote the answer, which may repeat what was asked: only fixed words are told.
      return this.#unavailable(isServiceError(error) ? error.reason : 'failed')
    }
    const read = this.#read(this.name, answer)
    return read.kind === 'lie' ? this.#unavailable(`answered ${read.lie}`) : read
  }

  #unavailable (fault: string): Verdict {
    const now = this.#now()
    if (now - (this.#warned.get(fault) ?? -Infinity) >= WARN_MS) {
      this.#warned.set(fault, now)
      this.#log.warn({ strategy: this.name, reason: fault }, 'The policy service did not decide: nobody it is asked about gets in')
    }
    return { kind: 'unavailable', reason: `the policy service: ${fault}`, retryAfterSeconds: RETRY_AFTER_SECONDS }
  }
}

/** By its name: with the class undici would be loaded, also where there is no policy service. */
function isServiceError (error: unknown): error is ServiceError {
  return error instanceof Error && error.name === 'ServiceError'
}

function orAbsent (verdict: Verdict): Verdict {
  return verdict.kind === 'forbidden' ? { kind: 'absent' } : verdict
}

/**
 * What no schema can say of a policy service.
 *
 * @param config that of a strategy with the driver `forward`; whatever is wrong in it otherwise is told elsewhere
 * @param path where it stands
 */
export function forwardMistakes ({ url, headers }: Loose, path: string): Mistake[] {
  const fields = list(headers).flatMap((field, place) => typeof field !== 'string' || isTellable(field.toLowerCase())
    ? []
    : [{ path: `${path}.headers[${place}]`, message: `Expected a field that is about what is asked for, but ${field} is about the message, or told to the service in any case` }])
  return [...urlMistakes(url, `${path}.url`), ...fields]
}

/** Credentials in it would be sent nowhere, and shown wherever it is. */
function urlMistakes (url: unknown, path: string): Mistake[] {
  if (typeof url !== 'string') return []
  if (!URL.canParse(url)) return [{ path, message: 'Expected a URL such as http://127.0.0.1:8181/v1/data/media/allow' }]
  const { username, password } = new URL(url)
  return username === '' && password === '' ? [] : [{ path, message: 'Expected a URL without user and password: a policy service is reached over a network of its own, or over loopback' }]
}

/** `X-Api-Key` for `x-api-key`. */
function canonical (name: string): string {
  return name.replaceAll(/(?:^|-)[a-z]/g, letter => letter.toUpperCase())
}
