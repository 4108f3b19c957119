/** What a picture may come in as, told by its content. */
export const inputFormats = ['jpeg', 'png', 'webp', 'gif', 'avif', 'tiff', 'svg', 'heic'] as const
export type InputFormat = typeof inputFormats[number]

/** What a variant may be encoded in. `json` is what `info` gives. */
export const outputFormats = ['jpeg', 'png', 'webp', 'avif', 'gif', 'tiff'] as const
export type OutputFormat = typeof outputFormats[number]

/** Media types of pictures, in and out. */
export const mediaTypes: Readonly<Record<InputFormat | OutputFormat, string>> = {
  jpeg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
  gif: 'image/gif',
  avif: 'image/avif',
  tiff: 'image/tiff',
  svg: 'image/svg+xml',
  heic: 'image/heic'
}
