import { Recent } from '../cache/recent.ts'
import type { IpConfig } from '../config/access-schema.ts'
import { attempt, list, type Loose } from '../config/loose.ts'
import type { Mistake } from '../config/mistakes.ts'
import { trustRanges, type Trust } from '../http/forwarded.ts'
import { isAddress } from '../http/ip-address.ts'
import type { AccessRequest, Strategy, Verdict } from './access.ts'

/** Addresses of which the answer is remembered, in each of two generations: clients with many addresses push against it. */
const MAX_REMEMBERED = 4096

/**
 * Who asks from an address that is let in. Addresses that are denied are, whatever else is
 * allowed; IPv4 inside IPv6 is read as IPv4. What is no address is not let in: a connection
 * that is gone has none.
 *
 * An address says from where somebody asks and not who it is; others behind the same network
 * address translation have it too.
 */
export class AddressStrategy implements Strategy {
  readonly name: string
  readonly fields: readonly string[] = []
  readonly #isAllowed: Trust
  readonly #isDenied: Trust
  readonly #granted: Verdict
  readonly #recent = new Recent<string, Verdict>(MAX_REMEMBERED)

  /** @throws {TypeError} naming the range that is none */
  constructor ({ name, config: { allow, deny } }: { readonly name: string, readonly config: IpConfig }) {
    this.name = name
    this.#isAllowed = allow.length === 0 ? () => true : trustRanges(allow)
    this.#isDenied = trustRanges(deny)
    this.#granted = Object.freeze({ kind: 'granted', principal: Object.freeze({ strategy: name, name: '' }) })
  }

  judge ({ address }: AccessRequest): Verdict {
    const known = this.#recent.get(address)
    if (known !== undefined) return known
    const verdict = this.#judge(address)
    this.#recent.set(address, verdict)
    return verdict
  }

  #judge (address: string): Verdict {
    if (!isAddress(address)) return { kind: 'denied', reason: 'no address' }
    if (this.#isDenied(address)) return { kind: 'denied', reason: 'address denied' }
    return this.#isAllowed(address) ? this.#granted : { kind: 'denied', reason: 'address not allowed' }
  }
}

/**
 * What no schema can say of addresses.
 *
 * @param config of the strategy, which may be wrong anywhere
 * @returns with paths from the strategy on: `allow[3]`
 */
export function addressMistakes (config: Loose): Mistake[] {
  const [allow, deny] = [list(config.allow), list(config.deny)]
  if (allow.length === 0 && deny.length === 0) return [{ path: 'allow', message: 'Expected addresses here or in deny: without any everybody is let in' }]
  return Object.entries({ allow, deny }).flatMap(([name, ranges]) => {
    return ranges.flatMap((range, place) => attempt(`${name}[${place}]`, range, text => trustRanges([text])))
  })
}
