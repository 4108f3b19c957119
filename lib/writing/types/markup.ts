/* What a text is by how it begins, as browsers guess it (WHATWG MIME Sniffing §7.1) where they are let. */

/** A page, or what runs in one. The tag ends, or has attributes. */
const page = /^<(?:!doctype\s+html|html|head|body|script|iframe|style|svg|title|object|embed|meta|link|base|form|input)(?=[\s>/])/i

/** What begins pages, and also texts that are made into pages, such as Markdown. */
const fragment = /^<(?:!--|(?:h[1-6]|div|font|table|a|b|br|p|img|span|details|center|picture)(?=[\s>/]))/i

/** Whether it opens like XML that is nothing else: markup of any name. */
export const anyTag = /^\s*<[A-Za-z_!?]/

/** What a text turned out to be. */
export interface Markup {
  readonly type: string
  /** Whether it may be a text that only begins with a tag. */
  readonly isFragment?: boolean
}

/** @param text the beginning, with or without its byte order mark */
export function markupOf (text: string): Markup | undefined {
  const start = text.replace(/^\ufeff/, '').trimStart()
  // The one that counts by its very first characters.
  if (/^#! {0,9}\//.test(text)) return { type: 'text/x-script' }
  if (start.startsWith('%PDF-')) return { type: 'application/pdf' }
  if (start.startsWith('%!PS')) return { type: 'application/postscript' }
  if (start.startsWith('{\\rtf')) return { type: 'application/rtf' }
  if (!start.startsWith('<')) return undefined
  if (/^<\?xml[\s?]/i.test(start)) return { type: rootOf(start) }
  if (/^<\?(?:php|=|\s)/i.test(start)) return { type: 'application/x-httpd-php' }
  if (page.test(start)) return { type: 'text/html' }
  return fragment.test(start) ? { type: 'text/html', isFragment: true } : undefined
}

/** The type of an XML text by its root element, as far as that matters. */
function rootOf (text: string): string {
  let at = 0
  for (;;) {
    const [end, from] = text.startsWith('<?', at) ? ['?>', 2] : text.startsWith('<!--', at) ? ['-->', 4] : text.startsWith('<!', at) ? ['>', 2] : ['', 0]
    const found = end === '' ? -1 : text.indexOf(end, at + from)
    if (found === -1) break
    at = found + end.length
    while (/\s/.test(text.charAt(at))) at++
  }
  const [, name = ''] = /^<(?:[\w.-]{1,64}:)?(html|svg)[\s>/]/i.exec(text.slice(at, at + 80)) ?? []
  return { html: 'application/xhtml+xml', svg: 'image/svg+xml' }[name.toLowerCase()] ?? 'application/xml'
}
