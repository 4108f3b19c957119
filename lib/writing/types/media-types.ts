import { essence } from '../../http/media-type.ts'

/* Which names of media types mean the same, and which of them run. All in lower case, without parameters. */

/** Names of one type. The first is the one that the others are known by here. */
const synonyms: readonly (readonly string[])[] = [
  ['application/gzip', 'application/x-gzip', 'application/x-tgz'],
  ['application/javascript', 'text/javascript', 'application/x-javascript', 'application/ecmascript', 'text/ecmascript', 'text/x-javascript'],
  ['application/postscript', 'application/eps'],
  ['application/rtf', 'text/rtf'],
  ['application/vnd.rar', 'application/x-rar-compressed', 'application/x-rar'],
  ['application/x-bzip2', 'application/x-bzip', 'application/bzip2'],
  ['application/x-debian-package', 'application/x-deb', 'application/vnd.debian.binary-package'],
  ['application/x-chrome-extension', 'application/x-google-chrome-extension'],
  ['application/x-msdownload', 'application/x-msdos-program', 'application/x-dosexec', 'application/vnd.microsoft.portable-executable', 'application/x-ms-dos-executable'],
  ['application/x-ms-shortcut', 'application/x.ms.shortcut'],
  ['application/x-redhat-package-manager', 'application/x-rpm'],
  ['application/x-xz', 'application/xz'],
  ['application/xml', 'text/xml', 'text/xsl'],
  ['application/zip', 'application/x-zip-compressed', 'application/x-zip'],
  ['application/zstd', 'application/x-zstd'],
  ['audio/aac', 'audio/x-aac', 'audio/aacp', 'audio/x-hx-aac-adts'],
  ['audio/aiff', 'audio/x-aiff'],
  ['audio/flac', 'audio/x-flac'],
  ['audio/midi', 'audio/x-midi', 'audio/mid'],
  ['audio/mpeg', 'audio/mp3', 'audio/mpeg3', 'audio/x-mpeg', 'audio/x-mp3'],
  ['audio/wav', 'audio/x-wav', 'audio/wave', 'audio/vnd.wave'],
  ['font/otf', 'application/x-font-otf', 'application/vnd.ms-opentype'],
  ['font/ttf', 'application/x-font-ttf', 'font/sfnt'],
  ['font/woff', 'application/font-woff', 'application/x-font-woff'],
  ['font/woff2', 'application/font-woff2'],
  ['image/bmp', 'image/x-ms-bmp', 'image/x-bmp'],
  ['image/jpeg', 'image/jpg', 'image/pjpeg'],
  ['image/png', 'image/x-png', 'image/apng', 'image/vnd.mozilla.apng'],
  ['image/heic', 'image/heif', 'image/heic-sequence', 'image/heif-sequence'],
  ['image/vnd.adobe.photoshop', 'image/x-photoshop', 'application/x-photoshop', 'application/photoshop'],
  ['image/x-icon', 'image/vnd.microsoft.icon'],
  ['text/markdown', 'text/x-markdown'],
  ['text/vcard', 'text/x-vcard'],
  ['video/vnd.avi', 'video/x-msvideo', 'video/avi'],
  ['video/x-matroska', 'video/matroska', 'video/x-mkv']
]

/** Types whose first bytes are the same, or tell them apart less surely than names do. */
const containers: readonly (readonly string[])[] = [
  ['video/mp4', 'audio/mp4', 'application/mp4', 'video/quicktime', 'video/x-m4v', 'audio/x-m4a', 'video/3gpp', 'audio/3gpp', 'video/3gpp2', 'audio/3gpp2'],
  ['application/ogg', 'audio/ogg', 'video/ogg', 'audio/opus', 'audio/vorbis', 'audio/x-speex'],
  ['video/webm', 'audio/webm', 'video/x-matroska', 'audio/x-matroska'],
  ['application/vnd.ms-asf', 'video/x-ms-asf', 'audio/x-ms-asf', 'video/x-ms-wmv', 'audio/x-ms-wma'],
  ['video/mpeg', 'video/mp1s', 'video/mp2p'],
  ['text/html', 'application/xhtml+xml'],
  ['image/tiff', 'image/x-adobe-dng', 'image/x-canon-cr2', 'image/x-nikon-nef', 'image/x-sony-arw', 'image/x-olympus-orf', 'image/x-panasonic-rw2'],
  ['image/jp2', 'image/jpx', 'image/jpm', 'image/mj2'],
  ['application/x-cfb', 'application/msword', 'application/vnd.ms-excel', 'application/vnd.ms-powerpoint', 'application/vnd.ms-project', 'application/vnd.ms-outlook', 'application/vnd.visio', 'application/x-mspublisher']
]

function firstOf (groups: readonly (readonly string[])[]): ReadonlyMap<string, string> {
  return new Map(groups.flatMap(group => group.map(type => [type, group[0] ?? type])))
}

const knownAs = firstOf(synonyms)
const containedIn = firstOf(containers)

/** The one name of a type that has several. */
export function canonicalType (type: string): string {
  const name = essence(type)
  return knownAs.get(name) ?? name
}

/** What a type has in common with those that look the same. */
export function containerOf (type: string): string {
  const name = canonicalType(type)
  return containedIn.get(name) ?? name
}

/** Documents that are zip archives of a certain kind: which, the first bytes need not tell. */
const zipBased = /^(?:application\/(?:vnd\.openxmlformats-.*|vnd\.oasis\.opendocument\..*|.*\+zip|vnd\.google-earth\.kmz|vnd\.apple\.(?:pages|numbers|keynote)|vnd\.ms-.*macroenabled\.12)|model\/3mf)$/

export function isZipBased (type: string): boolean {
  return zipBased.test(essence(type))
}

export function isXml (type: string): boolean {
  return /(?:\+xml|\/xml|\/xsl)$/.test(essence(type))
}

export function isJson (type: string): boolean {
  return /(?:\+json|\/json)$/.test(essence(type))
}

/** What a browser runs or lays out as a page, or what a page of the same origin may load to the same end. */
const browsers = /^(?:text\/(?:html|css|cache-manifest|x-component|x-(?:sh|csh|script)\b.*)|.*[/+]xml|text\/xsl|.*(?:java|ecma|live|j|vb)script.*|message\/.*|multipart\/.*|application\/(?:x-mimearchive|x-shockwave-flash|futuresplash|wasm|xml-.*|vnd\.ms-htmlhelp|hta|x-silverlight.*|x-java-.*|java-.*))$/

/** What a system runs, or installs, where somebody opens it. */
const systems = /^(?:application\/(?:x-(?:msdownload|msi|ms-(?:shortcut|installer|application|regedit)|elf|executable|sharedlib|mach-binary|apple-diskimage|debian-package|redhat-package-manager|chrome-extension|xpinstall|sh|csh|perl|python.*|ruby|tcl|lua|bat|php|httpd-.*|asar|ft-windows-registry-hive)|x\.apple\.alias|vnd\.android\.package-archive|.*macroenabled.*)|text\/x-(?:python|perl|ruby|php)\b.*)$/

/** Whether a type does something where it is opened: it is allowed by its name alone, never by a range. */
export function isRunnable (type: string): boolean {
  const name = canonicalType(type)
  return browsers.test(essence(type)) || browsers.test(name) || systems.test(name)
}

/** Whether a list of types and ranges, such as `image/*`, allows a type. */
export function isAllowed (type: string, types: readonly string[]): boolean {
  const name = canonicalType(type)
  const ranges = isRunnable(name) ? [] : ['*/*', `${essence(type).split('/', 1)[0]}/*`, `${name.split('/', 1)[0]}/*`]
  return types.some(each => canonicalType(each) === name || ranges.includes(each.toLowerCase()))
}
