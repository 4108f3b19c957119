import type { Fields } from '../message.ts'
import type { ReferenceMapper } from './references.ts'

/** What changes the value of one field. */
type Change = (value: string) => string

/**
 * Maps the references in `Location`, `Content-Location`, `Link` (RFC 8288) and `Refresh` of an
 * answer, final or interim.
 *
 * @returns the same fields where none of them is there
 */
export function mapFields (fields: Fields, map: ReferenceMapper): Fields {
  if (fields.location === undefined && fields['content-location'] === undefined && fields.link === undefined && fields.refresh === undefined) return fields
  const changes: Record<string, Change> = {
    location: value => map(value) ?? value,
    'content-location': value => map(value) ?? value,
    link: value => mapLink(value, map),
    refresh: value => mapRefresh(value, map)
  }
  let mapped = fields
  for (const [name, change] of Object.entries(changes)) {
    const value = fields[name]
    if (value === undefined) continue
    if (mapped === fields) mapped = { ...fields }
    mapped[name] = typeof value === 'string' ? change(value) : value.map(change)
  }
  return mapped
}

/*
 * A quoted string, whose end may be missing, or a reference in angle brackets. Neither looks at
 * a byte twice, whatever the origin sends.
 */
const linkPart = /(?<anchor>;[ \t]*anchor[ \t]*=[ \t]*)?"(?<text>(?:[^"\\]|\\[^])*)(?<end>\\?(?:"|$))|<(?<target>[^<>"]*)>/gi

/** Targets and contexts (`anchor`) of links. */
function mapLink (value: string, map: ReferenceMapper): string {
  return value.replaceAll(linkPart, (whole: string, ...groups: unknown[]) => {
    const { anchor, text = '', end, target } = groups.at(-1) as Record<string, string | undefined>
    if (target !== undefined) return `<${map(target) ?? target}>`
    const mapped = anchor === undefined ? undefined : map(text)
    return mapped === undefined ? whole : `${anchor}"${mapped}${end}`
  })
}

/** `5; url=https://…`, as browsers read it (HTML §8.1.8, "shared declarative refresh steps"). */
const refresh = /^([ \t]*[0-9.]*[ \t]*[;,]?[ \t]*(?:url[ \t]*=[ \t]*)?)(["']?)([^"']*)/i

function mapRefresh (value: string, map: ReferenceMapper): string {
  return value.replace(refresh, (whole: string, head: string, quote: string, reference: string) => {
    const mapped = map(reference)
    return mapped === undefined ? whole : head + quote + mapped
  })
}
