import type { AccessConfig, Requirement } from '../config/access-schema.ts'
import { MediaError } from '../errors.ts'
import { overriddenMethod } from '../http/method-override.ts'
import { hasSignature, withoutSignature } from '../signing/signed-target.ts'
import type { AccessRequest, Principal, Strategy, Verdict } from './access.ts'
import { askedAs } from './asked.ts'
import { allOf, policyOf, refusalOf, type Judge, type Policy } from './policy.ts'

/** What the rules of a mount are made of. */
export interface RulesOptions {
  /** Without it everybody may do everything. */
  readonly access?: Partial<AccessConfig> | undefined
  readonly strategies: ReadonlyMap<string, Strategy>
  /** Whether only GET, HEAD and OPTIONS do anything: all others are refused anyway, once these would be allowed. */
  readonly isReadOnly: boolean
  /** The strategy that knows the signatures of variants, where these alone are made. */
  readonly signedBy?: string | undefined
}

/** A request that may go on. */
export interface Admission {
  /** Null where nobody had to prove who they are. */
  readonly principal: Principal | null
  /** The request target without what proved it; undefined where it stays. */
  readonly target: string | undefined
  /** Whether the request was signed. */
  readonly isSigned: boolean
}

/** Methods that only read (RFC 9110 §9.2.1), of those that every server has. */
const reading: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Who may do what with a mount. */
export class Rules {
  /** Fields by which answers to readers differ, for `Vary`. */
  readonly vary: readonly string[]
  /** Fields that carry credentials for this server, in lower case. */
  readonly credentials: readonly string[]
  readonly #read: Policy | undefined
  readonly #write: Policy | undefined
  readonly #byMethod: ReadonlyMap<string, Policy | undefined>
  readonly #signer: Strategy | undefined

  /** @throws {TypeError} where a rule names no strategy */
  constructor ({ access = { write: 'public' }, strategies, isReadOnly, signedBy }: RulesOptions) {
    const { read = 'public', write = 'nobody', methods = {}, readScopes = [], writeScopes = [] } = access
    const compile = (requirement: Requirement, reads: boolean): Policy | undefined => policyOf(requirement, strategies, reads ? readScopes : writeScopes)
    this.#read = compile(read, true)
    this.#write = isReadOnly ? this.#read : compile(write, false)
    this.#byMethod = new Map(Object.entries(isReadOnly ? {} : methods).map(([method, requirement]) => [method, compile(requirement, reading.has(method))]))
    this.#signer = signedBy === undefined ? undefined : strategies.get(signedBy)
    if (signedBy !== undefined && this.#signer === undefined) throw new TypeError(`Expected the name of a strategy but received ${signedBy}`)
    const policies = [this.#read, this.#write, ...this.#byMethod.values()]
    this.credentials = [...new Set(policies.flatMap(policy => policy?.strategies ?? []).flatMap(({ credentials = [] }) => credentials))]
    this.vary = [...new Set((this.#for('GET')?.strategies ?? []).flatMap(({ fields }) => fields))]
  }

  /** Whether nobody is asked who they are. */
  isPublic (method: string): boolean {
    return this.#for(method) === undefined
  }

  /** Without waiting wherever that is possible. @throws {MediaError} `bad-path` */
  admit (asked: AccessRequest): Admission | MediaError | Promise<Admission | MediaError> {
    const policy = this.#policyFor(asked)
    if (policy === undefined) return this.#admission(asked, undefined)
    const verdict = policy.judge(asked)
    return verdict instanceof Promise ? verdict.then(told => this.#decide(asked, told, policy)) : this.#decide(asked, verdict, policy)
  }

  #decide (asked: AccessRequest, verdict: Verdict, { strategies }: Policy): Admission | MediaError {
    return verdict.kind === 'granted' ? this.#admission(asked, verdict) : refusalOf(verdict, strategies, asked.mount)
  }

  /** An origin that takes a request for one of another method, as a field says, finds that one allowed too, to whoever asks. */
  #policyFor (asked: AccessRequest): Policy | undefined {
    const policy = this.#for(asked.method)
    const other = overriddenMethod(asked.headers)
    const second = other === undefined || other === asked.method ? undefined : this.#for(other)
    if (other === undefined || second === undefined) return policy
    const judge: Judge = request => second.judge(askedAs(request, other))
    return policy === undefined ? { ...second, judge } : { judge: allOf([policy.judge, judge]), strategies: [...policy.strategies, ...second.strategies] }
  }

  #for (method: string): Policy | undefined {
    return this.#byMethod.has(method) ? this.#byMethod.get(method) : reading.has(method) ? this.#read : this.#write
  }

  #admission (asked: AccessRequest, grant: Extract<Verdict, { kind: 'granted' }> | undefined): Admission | MediaError {
    const principal = grant?.principal ?? null
    if (grant?.target !== undefined && (this.#signer === undefined || principal?.strategy === this.#signer.name)) return { principal, target: grant.target, isSigned: true }
    const verdict = this.#signer?.judge(asked) as Verdict | undefined // signatures are worked out here: nothing is waited for
    if (verdict?.kind === 'granted') return { principal, target: verdict.target ?? grant?.target, isSigned: true }
    if (grant === undefined && verdict !== undefined && verdict.kind !== 'absent') return refusalOf(verdict, [], asked.mount)
    // Who was let in by something else is not refused for a signature, which means nothing to whoever comes next.
    return { principal, target: grant !== undefined && hasSignature(asked.target) ? withoutSignature(asked.target) : undefined, isSigned: false }
  }
}
