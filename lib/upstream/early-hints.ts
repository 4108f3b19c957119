import type { ServerResponse } from 'node:http'
import type { Fields } from './message.ts'

/** What Node.js takes for one link, written so that each text is read in one way only: an origin's could be read in thousands. */
const oneLink = /^<[^>]*>(?:\s*;\s*[^;="\s]+(?:=(?:"[^;"\s]*"|[^;"\s]*))?)*$/

/** The longest link, in characters: what Node.js reads it with takes the square of them. Origins push against it. */
const MAX_LINK_LENGTH = 2048
/** The most links of one hint. */
const MAX_LINKS = 100

/**
 * The links of a `Link` field (RFC 8288 §3), one by one, for `writeEarlyHints`: those that
 * Node.js would throw at are left out, as hints may be.
 */
export function hintedLinks (field: string | string[] | undefined): string[] {
  return [field ?? ''].flat().flatMap(separated)
    .filter(item => item.length <= MAX_LINK_LENGTH && oneLink.test(item))
    .slice(0, MAX_LINKS)
}

/** Members of a list; commas within <> or quotes belong to their member. */
function separated (field: string): string[] {
  const members: string[] = []
  let start = 0
  let closing = ''
  for (let place = 0; place < field.length; place++) {
    const character = field[place] as string
    if (closing !== '') {
      if (character === closing) closing = ''
      else if (character === '\\' && closing === '"') place++
    } else if (character === '<') closing = '>'
    else if (character === '"') closing = '"'
    else if (character === ',') {
      members.push(field.slice(start, place).trim())
      start = place + 1
    }
  }
  members.push(field.slice(start).trim())
  return members
}

/** Passes early hints on (RFC 8297), to who may know interim answers; other interim answers are of the one connection. */
export function tellEarly (response: ServerResponse, status: number, { link }: Fields): void {
  if (status !== 103 || response.headersSent || response.req.httpVersion === '1.0') return
  const links = hintedLinks(link)
  if (links.length > 0) response.writeEarlyHints({ link: links })
}
