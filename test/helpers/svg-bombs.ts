// SVG that reads what it must not, runs what it must not, or never ends.
import { gzipSync } from 'node:zlib'
import { png } from './bombs.ts'

const NS = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:xi="http://www.w3.org/2001/XInclude"'

/** An SVG of 100 × 100 around a body, unless told otherwise. */
export function svg (body: string, { prolog = '', size = 'width="100" height="100"' }: { prolog?: string, size?: string } = {}): Buffer {
  return Buffer.from(`${prolog}<svg ${NS} ${size}>${body}</svg>`)
}

const laughs = `<!DOCTYPE svg [<!ENTITY a "ha">${'bcdefghijk'.split('').map((name, n) => `<!ENTITY ${name} "${`&${'abcdefghij'[n]};`.repeat(10)}">`).join('')}]>`
const quadratic = `<!DOCTYPE svg [<!ENTITY a "${'a'.repeat(100_000)}">]>`

function curves (count: number): string {
  return `<path fill="none" stroke="#000" stroke-width="3" stroke-dasharray="1 2" d="M0 0${Array.from({ length: count }, (_, n) => `C${n * 7 % 100} ${n * 13 % 100} ${n * 17 % 100} ${n * 19 % 100} ${n * 23 % 100} ${n * 29 % 100}`).join('')}"/>`
}

/** 2^levels uses of one rectangle. */
function nestedUses (levels: number): string {
  const groups = Array.from({ length: levels }, (_, n) => `<g id="u${n + 1}"><use xlink:href="#u${n}"/><use xlink:href="#u${n}" x="1"/></g>`)
  return `<defs><rect id="u0" width="2" height="2"/>${groups.join('')}</defs><use xlink:href="#u${levels}"/>`
}

function embedded (type: string, bytes: Buffer): string {
  return `<image width="100" height="100" xlink:href="data:${type};base64,${bytes.toString('base64')}"/>`
}

/** SVG that costs more than it looks. All is to be refused, or drawn within the bounds. */
export function costly (): Record<string, Buffer> {
  return {
    'billion-laughs': svg('<text y="20">&k;</text>', { prolog: laughs }),
    'quadratic-entities': svg(`<text y="20">${'&a;'.repeat(2000)}</text>`, { prolog: quadratic }),
    'text-nodes': svg(Array.from({ length: 40_000 }, (_, n) => `<text x="${n % 90}" y="${n % 97}">word ${n}</text>`).join('')),
    'curves': svg(curves(200_000)),
    'turbulence': svg('<filter id="f"><feTurbulence type="fractalNoise" baseFrequency="0.5" numOctaves="2000"/></filter><rect width="4000" height="4000" filter="url(#f)"/>', { size: 'width="4000" height="4000"' }),
    'blurs': svg(Array.from({ length: 200 }, (_, n) => `<filter id="f${n}"><feGaussianBlur stdDeviation="1000"/></filter><rect width="4000" height="4000" filter="url(#f${n})"/>`).join(''), { size: 'width="4000" height="4000"' }),
    'morphology': svg('<filter id="f"><feMorphology operator="dilate" radius="2000"/></filter><rect width="3000" height="3000" filter="url(#f)"/>', { size: 'width="4000" height="4000"' }),
    'nested-uses': svg(nestedUses(30)),
    'nested-patterns': svg(`<defs>${Array.from({ length: 12 }, (_, n) => `<pattern id="p${n}" width=".01" height=".01"><rect width="50" height="50" fill="url(#p${n + 1})"/></pattern>`).join('')}<pattern id="p12" width=".01" height=".01"><rect width="1" height="1"/></pattern></defs><rect width="100" height="100" fill="url(#p0)"/>`),
    'nested-masks': svg(`<defs>${Array.from({ length: 60 }, (_, n) => `<mask id="m${n}"><g mask="url(#m${n + 1})"><rect width="4000" height="4000" fill="#fff"/></g></mask>`).join('')}</defs><rect width="4000" height="4000" mask="url(#m0)"/>`, { size: 'width="4000" height="4000"' }),
    'circle-of-uses': svg('<g id="a"><use xlink:href="#b"/></g><g id="b"><use xlink:href="#a"/></g>'),
    'deep': svg(`${'<g>'.repeat(50_000)}${'</g>'.repeat(50_000)}`),
    'attributes': svg(`<rect ${Array.from({ length: 100_000 }, (_, n) => `a${n}="1"`).join(' ')}/>`),
    'selectors': svg(`<style>${Array.from({ length: 3000 }, (_, n) => `g g g g g > *:not(.a${n}) ~ rect { fill: red }`).join('')}</style>${'<g>'.repeat(40)}${'<rect width="1" height="1"/>'.repeat(4000)}${'</g>'.repeat(40)}`),
    'dashes': svg('<path stroke="#000" stroke-dasharray="0.00001 0.00001" d="M0 0L100000000 0"/>'),
    'embedded-png': svg(embedded('image/png', png({ width: 16_000, height: 16_000, colour: 6 }))),
    'embedded-svg': svg(embedded('image/svg+xml', svg(embedded('image/svg+xml', svg(nestedUses(25)))))),
    'huge-width': svg('<rect width="1" height="1"/>', { size: 'width="1000000000" height="1000000000"' }),
    'huge-view-box': svg('<rect width="1" height="1"/>', { size: 'viewBox="0 0 1000000000 1000000000"' }),
    'one-side-huge': svg('<rect width="1" height="1"/>', { size: 'width="1" height="999999999"' }),
    'thin-view-box': svg('<rect width="1" height="1"/>', { size: 'width="8000" viewBox="0 0 1 1000000"' }),
    'no-number-sizes': svg('<rect width="1" height="1"/>', { size: 'width="1e99" height="NaN"' }),
    'percent-size': svg('<rect width="1e9" height="1e9"/>', { size: 'width="100000%" height="100000%"' }),
    'em-size': svg('<rect width="1" height="1"/>', { size: 'width="100000em" height="100000em"' }),
    'compressed': gzipSync(svg('<rect width="100" height="100"/>')),
    'compressed-bomb': gzipSync(Buffer.concat([Buffer.from(`<svg ${NS} width="1" height="1"><!--`), Buffer.alloc(100_000_000, 0x20), Buffer.from('--></svg>')]))
  }
}

/** What an SVG may try to read: a file beside it, one of the system, or a URL. Each draws all of the picture with what it finds. */
export function reaching (file: string, url: string): Record<string, Buffer> {
  const whole = 'width="100" height="100"'
  const references = { file: `file://${file}`, path: file, climb: `../../../../../../../../..${file}`, http: url, remote: url.replace('http:', ''), jar: `xi://${file}` }
  const entries = Object.entries(references).flatMap(([name, target]) => [
    [`image-${name}`, svg(`<image ${whole} xlink:href="${target}"/>`)],
    [`href-${name}`, svg(`<image ${whole} href="${target}"/>`)],
    [`use-${name}`, svg(`<use xlink:href="${target}#a"/>`)],
    [`include-${name}`, svg(`<text y="50"><xi:include href="${target}" parse="text"/></text>`)],
    [`import-${name}`, svg(`<style>@import url("${target}");</style><rect ${whole}/>`)],
    [`fill-${name}`, svg(`<rect ${whole} fill="url(${target}#a)" filter="url(${target}#b)" style="mask:url('${target}#c')"/>`)],
    [`stylesheet-${name}`, svg(`<rect ${whole}/>`, { prolog: `<?xml version="1.0"?><?xml-stylesheet type="text/css" href="${target}"?>` })],
    [`entity-${name}`, svg('<text y="50">&x;</text>', { prolog: `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "${target}">]>` })],
    [`parameter-${name}`, svg('<text y="50">a</text>', { prolog: `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY % x SYSTEM "${target}"> %x;]>` })],
    [`doctype-${name}`, svg('<text y="50">a</text>', { prolog: `<!DOCTYPE svg SYSTEM "${target}">` })],
    [`filter-${name}`, svg(`<filter id="f"><feImage xlink:href="${target}"/></filter><rect ${whole} filter="url(#f)"/>`)],
    [`base-${name}`, svg(`<g xml:base="${target}"><image ${whole} xlink:href="#a"/></g>`)]
  ] as Array<[string, Buffer]>)
  return Object.fromEntries(entries)
}

/** A self-importing style sheet: each import is the style sheet again, which never ended. */
export function selfImporting (name: string): Record<string, Buffer> {
  const css = `@import url("${name}");`
  const data = `data:text/css,${encodeURIComponent('@import url("data:text/css,@import url(#)");')}`
  return {
    'import-itself': svg(`<style>${css}</style><rect width="9" height="9"/>`),
    'import-nothing': svg('<style>@import url("");@import "#";@import url(?);</style><rect width="9" height="9"/>'),
    'import-data': svg(`<style>@import url('${data}');</style><rect width="9" height="9"/>`),
    'import-in-cdata': svg(`<style><![CDATA[${css}]]></style><rect width="9" height="9"/>`),
    'import-escaped': svg('<style>@\\69mport url("");@\\000069 mport "";@im\\70 ort url(a.svg);</style><rect width="9" height="9"/>'),
    'import-commented': svg(`<style>@/**/import url("");@import/**/url("${name}");/*</style><style>*/@import "${name}"</style><rect width="9" height="9"/>`),
    'import-by-entity': svg('<style>&i;</style><rect width="9" height="9"/>', { prolog: '<!DOCTYPE svg [<!ENTITY i "@import url(&#34;&#34;);">]>' }),
    'import-prefixed': Buffer.from(`<s:svg xmlns:s="http://www.w3.org/2000/svg" width="9" height="9"><s:style>${css}</s:style><s:rect width="9" height="9"/></s:svg>`),
    'import-utf-16': Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(svg(`<style>${css}</style>`).toString(), 'utf16le')])
  }
}

/** SVG that runs something where it is shown as it is. */
export function active (): Record<string, Buffer> {
  return {
    'script': svg('<script>alert(document.domain)</script>'),
    'onload': Buffer.from(`<svg ${NS} width="9" height="9" onload="alert(1)"/>`),
    'foreign': svg('<foreignObject width="100" height="100"><body xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script><form action="https://evil.example"><input/></form></body></foreignObject>'),
    'javascript': svg('<a xlink:href="javascript:alert(1)"><rect width="100" height="100"/></a>'),
    'javascript-anywhere': svg('<g href="java&#10;script:alert(1)"><rect width="9" height="9"/></g>'),
    'animate': svg('<a id="a"><set attributeName="href" to="javascript:alert(1)"/><animate attributeName="xlink:href" values="javascript:alert(1)"/><rect width="9" height="9"/></a>'),
    'handler': svg('<handler xmlns:ev="http://www.w3.org/2001/xml-events" ev:event="load">alert(1)</handler>'),
    'data-page': svg('<a href="data:text/html,&lt;script&gt;alert(1)&lt;/script&gt;"><rect width="9" height="9"/></a>')
  }
}
