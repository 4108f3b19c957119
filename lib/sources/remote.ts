import { essence } from '../http/media-type.ts'
import { HEAD_BYTES } from '../image/sniff.ts'
import type { Key } from '../paths/request-path.ts'
import type { Fields, Sender } from '../upstream/message.ts'
import { followRedirects } from '../upstream/redirects.ts'
import type { RemoteRules } from '../upstream/remote-rules.ts'
import { parseRemoteUrl, resolveRemoteUrl } from '../upstream/remote-url.ts'
import { httpSourceDefaults, type HttpSourceOptions, type OriginSource } from './http.ts'
import { wrongContent } from './http/failures.ts'
import { single } from './http/fields.ts'
import { OriginFiles, type Wanted } from './http/origin-files.ts'
import { sniffedType, typeMatcher } from './http/sniffed-type.ts'

/** How files are found whose URL a client names. */
export interface RemoteSourceOptions extends Omit<HttpSourceOptions, 'sender' | 'path' | 'bases'> {
  /** Who asks the host of a URL. What it connects to is for it to look at. */
  readonly senderOf: (url: URL) => Sender
  /** What may be asked for: each URL is checked, and each that one redirects to. */
  readonly rules: RemoteRules
  /** How many redirects are followed. Default 3. */
  readonly maxRedirects?: number
  /** Media types that are passed on, such as `image/png` and `image/*`: the bytes decide, not what their server says. Default `image/*`. */
  readonly types?: readonly string[]
}

/** What is kept where nothing else is said. */
export const remoteSourceDefaults = { ...httpSourceDefaults, maxBytes: 33_554_432, revalidateMs: 60_000, maxRedirects: 3, types: ['image/*'] } as const

/**
 * The key of a remote file: its URL in canonical form.
 *
 * @param spelled what stands below the mount in the request target, as it was sent
 * @throws {MediaError} `bad-remote-url`
 */
export function remoteKey (spelled: string): Key {
  return parseRemoteUrl(spelled).href as Key
}

/**
 * Files whose URL a client names. A key is such a URL, as {@link remoteKey} gives it. Nothing of the
 * client goes to the server that is asked; it is told no more than what is wanted.
 *
 * `stat` throws `bad-remote-url` and `remote-forbidden` besides what every source throws.
 */
export function remoteSource (options: RemoteSourceOptions): OriginSource {
  const { senderOf, rules, maxRedirects, types, ...rest } = { ...remoteSourceDefaults, ...options }
  const isPassedOn = typeMatcher(types)
  const files = new OriginFiles({ ...rest, headBytes: HEAD_BYTES, typeOf: typeOfBytes })

  function typeOfBytes ({ headers, beginning, name }: { headers: Fields, beginning: Buffer, name: string }): string {
    const told = single(headers, 'content-type')
    const type = sniffedType(beginning, told)
    if (!isPassedOn(type)) throw wrongContent(name, `is ${essence(type)}, which is not passed on`)
    if (essence(type) === 'text/html' && told !== undefined && essence(told) !== 'text/html') throw wrongContent(name, 'is a page that its server calls something else')
    return type
  }

  const askAt = async (url: URL, headers: Fields): ReturnType<Sender['send']> => await senderOf(url).send({ method: 'GET', path: url.pathname + url.search, headers })

  async function ask (first: URL, headers: Fields): ReturnType<Wanted['ask']> {
    const { url, response } = await followRedirects(first, { maxRedirects, headers, check: rules.check, send: askAt })
    return { response, place: { name: senderOf(url).name, ask: async fields => await askAt(url, fields) } }
  }

  return {
    stat (key) {
      const url = resolveRemoteUrl(key)
      rules.check(url)
      return files.find({ key: url.href, ask: async headers => await ask(url, headers) })
    },
    async list () { return undefined },
    async close () { files.close() },
    forget: key => files.forget(key),
    doubt: () => files.doubt(),
    get holds () { return files.holds }
  }
}
