import type { AccessConfig } from '../config/access-schema.ts'
import { MediaError } from '../errors.ts'
import { overriddenMethod } from '../http/method-override.ts'
import { hasSignature, withoutSignature } from '../signing/signed-target.ts'
import type { AccessRequest, Principal, Strategy, Verdict } from './access.ts'
import { askedAs } from './asked.ts'
import { both, policyOf, refusalOf, type Policy } from './policy.ts'
import { isReading, requirementFor } from './requirement.ts'

/** What the rules of a mount are made of. */
export interface RulesOptions {
  /** Without it everybody may do everything. */
  readonly access?: Partial<AccessConfig> | undefined
  readonly strategies: ReadonlyMap<string, Strategy>
  /** Whether only GET, HEAD and OPTIONS do anything: all others are refused anyway, once reading would be allowed. */
  readonly isReadOnly: boolean
  /** Whether another server may take requests for ones of other methods, and make WebSockets of them. */
  readonly isGateway: boolean
  /** The strategy that knows the signatures of variants, where these alone are made. */
  readonly signedBy?: string | undefined
  /** Whether a request target may ask for a variant. Default all. */
  readonly mayNeedSignature?: ((target: string) => boolean) | undefined
}

/** A request that may go on. */
export interface Admission {
  /** Null where nobody had to prove who they are. */
  readonly principal: Principal | null
  /** The request target without what proved it; undefined where it stays. */
  readonly target: string | undefined
  /** Whether it may ask for what has to be signed. */
  readonly isSigned: boolean
  /** Whether the answer is for its client alone. */
  readonly isPrivate: boolean
}

type Grant = Extract<Verdict, { kind: 'granted' }>

const noPolicy: Pick<Policy, 'strategies'> = { strategies: [] }

/** Who may do what with a mount. */
export class Rules {
  /** Fields by which answers differ, for `Vary`. */
  readonly vary: readonly string[]
  /** Fields that carry credentials for this server, in lower case. */
  readonly credentials: readonly string[]
  readonly #policies: ReadonlyMap<string, Policy | undefined>
  readonly #isGateway: boolean
  readonly #signer: Strategy | undefined
  readonly #mayNeedSignature: (target: string) => boolean

  /** @throws {TypeError} where a rule names no strategy */
  constructor ({ access = { write: 'public' }, strategies, isReadOnly, isGateway, signedBy, mayNeedSignature = () => true }: RulesOptions) {
    this.#isGateway = isGateway
    this.#mayNeedSignature = mayNeedSignature
    const { methods = {}, readScopes = [], writeScopes = [] } = access
    const named = ['GET', 'HEAD', 'OPTIONS', OTHER, ...Object.keys(methods)]
    this.#policies = new Map(named.map(method => [method, policyOf(requirementFor(access, method, isReadOnly), strategies, isReading(method) || isReadOnly ? readScopes : writeScopes)]))
    this.#signer = signedBy === undefined ? undefined : strategies.get(signedBy)
    if (signedBy !== undefined && this.#signer === undefined) throw new TypeError(`Expected the name of a strategy but received ${signedBy}`)
    const all = [...this.#policies.values()].flatMap(policy => policy?.strategies ?? [])
    this.credentials = [...new Set(all.flatMap(({ credentials = [] }) => credentials))]
    this.vary = [...new Set(all.flatMap(({ fields }) => fields))]
  }

  /** Whether nobody is asked who they are. */
  isPublic (method: string): boolean {
    return this.#for(method) === undefined
  }

  /** Without waiting wherever that is possible. @throws {MediaError} `bad-path`, `bad-request` */
  admit (asked: AccessRequest): Admission | MediaError | Promise<Admission | MediaError> {
    const policy = this.#policyFor(asked)
    if (policy === undefined) return this.#openly(asked)
    const verdict = policy.judge(asked)
    return verdict instanceof Promise ? verdict.then(async told => await this.#decide(asked, told, policy)) : this.#decide(asked, verdict, policy)
  }

  #for (method: string): Policy | undefined {
    return this.#policies.get(this.#policies.has(method) ? method : OTHER)
  }

  /**
   * An origin that takes a request for one of another method, as a field says, finds that one allowed too, to whoever
   * asks; so does one that makes a WebSocket of it. Whether it really becomes one is known too late.
   */
  #policyFor (asked: AccessRequest): Policy | undefined {
    const policy = this.#for(asked.method)
    if (!this.#isGateway) return policy
    const { method, headers } = asked
    const others = [overriddenMethod(headers), /websocket/i.test(headers.upgrade ?? '') ? 'WEBSOCKET' : undefined]
    return others.reduce((first, other) => other === undefined || other === method ? first : both(first, this.#for(other), request => askedAs(request, other)), policy)
  }

  #decide (asked: AccessRequest, verdict: Verdict, policy: Policy): Admission | MediaError | Promise<Admission | MediaError> {
    if (verdict.kind === 'granted') return this.#granted(asked, verdict)
    const refusal = refusalOf(verdict, policy, asked.mount)
    if (policy.reporting.length === 0) return refusal
    const decide = (lenient: Verdict): Admission | MediaError => {
      if (lenient.kind !== 'granted') return refusal
      for (const strategy of policy.reporting) report(strategy, asked)
      return this.#granted(asked, lenient, policy.reporting)
    }
    const lenient = policy.leniently(asked)
    return lenient instanceof Promise ? lenient.then(decide) : decide(lenient)
  }

  /** @param told of it already */
  #granted (asked: AccessRequest, { principal, target }: Grant, told: readonly Strategy[] = []): Admission {
    const wasSigned = target !== undefined && (this.#signer === undefined || principal.strategy === this.#signer.name)
    const signed = wasSigned ? { target } : this.#signer === undefined ? undefined : this.#signature(asked, told)
    const isSigned = signed !== undefined && !(signed instanceof MediaError)
    // Who was let in by something else is not refused for a signature, which means nothing to whoever comes next.
    const rest = target ?? (isSigned ? signed.target : undefined) ?? (hasSignature(asked.target) ? withoutSignature(asked.target) : undefined)
    return { principal, target: rest, isSigned, isPrivate: true }
  }

  #openly (asked: AccessRequest): Admission | MediaError {
    const signed = this.#signer === undefined ? undefined : this.#signature(asked)
    if (signed instanceof MediaError) return signed
    return { principal: null, target: signed?.target, isSigned: signed !== undefined, isPrivate: signed?.isPassing === true }
  }

  /** What a signature gives for variants; undefined where there is none. It is worked out here: nothing is waited for. */
  #signature (asked: AccessRequest, told: readonly Strategy[] = []): { target: string | undefined, isPassing?: boolean | undefined } | MediaError | undefined {
    const signer = this.#signer as Strategy
    const verdict = signer.judge(asked) as Exclude<ReturnType<Strategy['judge']>, Promise<Verdict>>
    if (verdict.kind === 'granted') return { target: verdict.target, isPassing: verdict.isPassing }
    if (signer.report === undefined) return verdict.kind === 'absent' ? undefined : refusalOf({ ...verdict, reason: `${signer.name}: ${verdict.reason}` }, noPolicy, asked.mount)
    if (verdict.kind === 'absent' && !this.#mayNeedSignature(asked.target)) return undefined
    if (!told.includes(signer)) signer.report(verdict.kind === 'absent' ? NO_SIGNATURE : verdict.reason, asked.target)
    return { target: hasSignature(asked.target) ? withoutSignature(asked.target) : undefined }
  }
}

/** Stands for methods without a rule of their own. */
const OTHER = '*'

/** Why a request without any is refused. */
const NO_SIGNATURE = 'no signature'

/** Tells a strategy in its own words, if it is one that would have refused: what another one says is not about it. */
function report (strategy: Strategy, asked: AccessRequest): void {
  const tell = (verdict: Verdict): void => {
    if (verdict.kind !== 'granted') strategy.report?.('reason' in verdict ? verdict.reason : NO_SIGNATURE, asked.target)
  }
  const verdict = strategy.judge(asked)
  if (verdict instanceof Promise) verdict.then(tell, () => undefined) // who was let in does not wait for it
  else tell(verdict)
}
