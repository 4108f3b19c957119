import { essence } from '../../http/media-type.ts'

/** How the references of a text are found. */
export type TextKind = 'markup' | 'playlist' | 'plain'

const markup = /^(?:text\/(?:css|html|xml)|application\/xml|.*\+xml)$/
const playlists: ReadonlySet<string> = new Set(['application/vnd.apple.mpegurl', 'application/x-mpegurl', 'audio/mpegurl', 'audio/x-mpegurl'])

/** Charsets in which ASCII is spelled as in ASCII, and no byte of another character looks like it. */
const asciiCharset = /^(?:utf-?8|(?:us-)?ascii|iso-8859-\d{1,2}|latin1|windows-125\d|koi8-[ru]|euc-(?:jp|kr))$/i

/**
 * Tells by `Content-Type` whether, and how, a text is changed.
 *
 * @param types media types, `text/*` for all of a kind
 */
export function textKinds (types: readonly string[]): (contentType: string) => TextKind | undefined {
  const exact = new Set(types)
  return function textKind (contentType) {
    const type = essence(contentType)
    if (!exact.has(type) && !exact.has(`${type.slice(0, type.indexOf('/'))}/*`)) return undefined
    const charset = /;[ \t]*charset[ \t]*=[ \t]*["']?([^;"' \t]*)/i.exec(contentType)?.[1]
    if (charset !== undefined && !asciiCharset.test(charset)) return undefined
    if (playlists.has(type)) return 'playlist'
    return markup.test(type) ? 'markup' : 'plain'
  }
}
