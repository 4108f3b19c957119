import type { AccessRequest, Strategy } from '../access/access.ts'
import { Asked, type Request } from '../access/asked.ts'
import { Rules, type Admission } from '../access/rules.ts'
import { MediaError } from '../errors.ts'
import type { ApiMount } from './api-mounts.ts'

/** A request to a mount that is alike to what the API is asked for. */
export interface Alike {
  readonly mount: ApiMount
  /** Percent-encoded, with its query. */
  readonly target: string
}

/**
 * What the API does to a mount has to be allowed by the rules of that mount too: whoever asks is judged once more,
 * by the same credentials, as if they had sent the request that is alike. A mount without rules is read by everybody
 * and written by nobody.
 *
 * What may not be read is answered as what is not there; what may be read, and not be changed, is refused.
 */
export class Permissions {
  readonly #rules: ReadonlyMap<ApiMount, Rules>

  constructor (mounts: readonly ApiMount[], strategies: ReadonlyMap<string, Strategy>) {
    // Never read-only: there, whoever may read might do all that does nothing. A purge does something.
    this.#rules = new Map(mounts.map(mount => [mount, new Rules({ access: mount.access.access ?? { read: 'public', write: 'nobody' }, strategies, isReadOnly: false, isGateway: mount.access.isGateway })]))
  }

  /** @throws {MediaError} `not-found` where it may not be read; `unavailable` */
  async toRead (request: Request, alike: Alike): Promise<Admission> {
    return await this.#admit(request, alike, 'GET', refusal => new MediaError('not-found', told(refusal)))
  }

  /** @throws {MediaError} `forbidden` where it may be read, but this not be done; `not-found` where neither; `unavailable` */
  async toDo (method: string, request: Request, alike: Alike): Promise<Admission> {
    return await this.#admit(request, alike, method, async refusal => {
      await this.toRead(request, alike)
      return new MediaError('forbidden', told(refusal))
    })
  }

  /** @throws {MediaError} `forbidden` where not all of it may be done; `not-found` where none of it may be read; `unavailable` */
  async toDoAll (method: string, request: Request, covers: readonly Alike[]): Promise<void> {
    const refusals: MediaError[] = []
    for (const alike of covers) {
      await this.toDo(method, request, alike).catch((error: unknown) => {
        if (!(error instanceof MediaError) || error.code === 'unavailable') throw error
        refusals.push(error)
      })
    }
    const [first] = refusals
    if (first === undefined) return
    throw refusals.length === covers.length && refusals.every(({ code }) => code === 'not-found') ? first : new MediaError('forbidden', told(first))
  }

  /** Whether the mount as a whole may be read. @throws {MediaError} `unavailable` */
  async shows (request: Request, mount: ApiMount): Promise<boolean> {
    try {
      await this.toRead(request, { mount, target: `${mount.prefix}/` })
      return true
    } catch (error) {
      if (error instanceof MediaError && error.code === 'not-found') return false
      throw error
    }
  }

  async #admit (request: Request, alike: Alike, method: string, refuse: (refusal: MediaError) => MediaError | Promise<MediaError>): Promise<Admission> {
    const admission = await (this.#rules.get(alike.mount) as Rules).admit(alikeOf(request, alike, method))
    if (!(admission instanceof MediaError)) return admission
    // Where it cannot be told, neither is said.
    throw admission.code === 'unavailable' ? admission : await refuse(admission)
  }
}

/** Why is for the log alone. */
function told ({ context }: MediaError): { context: Record<string, unknown> } | Record<string, never> {
  return context === undefined ? {} : { context }
}

function alikeOf (request: Request, { mount: { access }, target }: Alike, method: string): AccessRequest {
  const { mount, pathOf } = access
  const asked = new Asked(request, { mount, pathOf })
  const { headers, rawHeaders, address, isFromTrustedProxy } = asked
  return { method, target, mount, headers, rawHeaders, address, isFromTrustedProxy, get certificate () { return asked.certificate }, get path () { return pathOf(target, method) } }
}
