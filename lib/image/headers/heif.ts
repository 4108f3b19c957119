import { has, text, u16, u32, u8 } from './bytes.ts'
import type { Draft, HeaderFacts, OtherFormat } from './facts.ts'
import { boxesOf, childrenOf, type Box } from './boxes.ts'

/** Items and properties looked at. A file's author pushes against it; a grid of 256 tiles has as many items. */
const MAX_ITEMS = 2000

const AV1_BRANDS = new Set(['avif', 'avis'])
const HEVC_BRANDS = new Set(['heic', 'heix', 'hevc', 'hevx', 'heim', 'heis', 'hevm', 'hevs'])
/** Brands that say HEIF and leave the codec open (ISO/IEC 23008-12 §10). */
const OPEN_BRANDS = new Set(['mif1', 'mif2', 'msf1', 'miaf'])

const ALPHA_KINDS = ['urn:mpeg:mpegB:cicp:systems:auxiliary:alpha', 'urn:mpeg:hevc:2015:auxid:1']

/** Names of what else has an `ftyp` box. */
function otherBrand (brand: string): string {
  if (brand === 'jpx ' || brand === 'jp2 ') return 'a JPEG 2000'
  if (brand.startsWith('crx')) return 'a camera\'s raw file'
  return 'a film'
}

/** What a file with an `ftyp` box is; its `meta` box, where it lies near, tells the size. */
export function sniffHeif (bytes: Uint8Array): HeaderFacts | OtherFormat {
  const boxes = boxesOf(bytes, 0, bytes.length)
  const brands = brandsOf(bytes, u32(bytes, 0))
  const isAv1 = brands.some(brand => AV1_BRANDS.has(brand))
  const isHevc = brands.some(brand => HEVC_BRANDS.has(brand))
  if (!isAv1 && !isHevc && !brands.some(brand => OPEN_BRANDS.has(brand))) return { format: undefined, name: otherBrand(brands[0] ?? '') }
  const meta = boxes.find(box => box.type === 'meta')
  const read = meta === undefined ? {} : readMeta(bytes, meta)
  const codec = read.heicCodec ?? (isAv1 ? 'av1' : 'hevc')
  const facts: Draft = { format: codec === 'av1' ? 'avif' : 'heic', alpha: true, ...read, heicCodec: codec }
  const main = brands[0]
  if (main === 'avis' || main === 'msf1' || main === 'hevc' || main === 'hevx') facts.frames = 'several'
  return facts
}

function brandsOf (bytes: Uint8Array, size: number): string[] {
  const brands = [text(bytes, 8, 4)]
  const end = Math.min(size, bytes.length, 16 + 4 * MAX_ITEMS)
  for (let at = 16; at + 4 <= end; at += 4) brands.push(text(bytes, at, 4))
  return brands
}

function readMeta (bytes: Uint8Array, meta: Box): Partial<Draft> {
  const inside = boxesOf(bytes, meta.start + 4, meta.end)
  const properties = childrenOf(bytes, childrenOf(bytes, inside.find(box => box.type === 'iprp')).find(box => box.type === 'ipco'))
  const isComplete = meta.end <= bytes.length
  const facts: Partial<Draft> = {}
  const primary = primaryItem(bytes, inside.find(box => box.type === 'pitm'))
  const own = ownProperties(bytes, childrenOf(bytes, inside.find(box => box.type === 'iprp')).filter(box => box.type === 'ipma'), primary)
  addSize(bytes, facts, { properties, own: own.flatMap(index => properties[index - 1] ?? []) })
  addDepth(bytes, facts, properties)
  if (properties.some(box => box.type === 'hvcC')) facts.heicCodec = 'hevc'
  if (properties.some(box => box.type === 'av1C')) facts.heicCodec = 'av1'
  if (isComplete) facts.alpha = properties.some(box => isAlpha(bytes, box))
  if (facts.alpha !== undefined && facts.channels !== undefined && facts.alpha) facts.channels++
  return facts
}

/** ISO/IEC 14496-12 §8.11.4 */
function primaryItem (bytes: Uint8Array, box: Box | undefined): number {
  if (box === undefined) return Number.NaN
  return u8(bytes, box.start) === 0 ? u16(bytes, box.start + 4) : u32(bytes, box.start + 4)
}

/** The numbers, from 1, of an item's properties, in the order in which they apply (ISO/IEC 23008-12 §9.3.1). */
function ownProperties (bytes: Uint8Array, boxes: readonly Box[], item: number): number[] {
  for (const box of boxes) {
    const isLongId = u8(bytes, box.start) >= 1
    const isWide = (u8(bytes, box.start + 3) & 1) === 1
    const count = Math.min(u32(bytes, box.start + 4), MAX_ITEMS)
    let at = box.start + 8
    for (let n = 0; n < count && at < box.end; n++) {
      const id = isLongId ? u32(bytes, at) : u16(bytes, at)
      at += isLongId ? 4 : 2
      const members = u8(bytes, at++)
      if (id === item) return propertyNumbers(bytes, { at, members, isWide })
      at += members * (isWide ? 2 : 1)
    }
  }
  return []
}

function propertyNumbers (bytes: Uint8Array, { at, members, isWide }: { at: number, members: number, isWide: boolean }): number[] {
  return Array.from({ length: Number.isNaN(members) ? 0 : members }, (_, n) => isWide ? u16(bytes, at + 2 * n) & 0x7fff : u8(bytes, at + n) & 0x7f)
}

/** The primary item's size after its transforms; the largest of all where no item is primary. */
function addSize (bytes: Uint8Array, facts: Partial<Draft>, { properties, own }: { properties: readonly Box[], own: readonly Box[] }): void {
  // What describes an item may be listed after what transforms it.
  const extent = own.find(box => box.type === 'ispe')
  let [width, height] = extent === undefined ? [0, 0] : [u32(bytes, extent.start + 4), u32(bytes, extent.start + 8)]
  for (const box of own) {
    if (box.type === 'clap') [width, height] = clipped(bytes, box, [width, height])
    if (box.type === 'irot' && (u8(bytes, box.start) & 1) === 1) [width, height] = [height, width]
  }
  const sizes = properties.filter(box => box.type === 'ispe').map(box => [u32(bytes, box.start + 4), u32(bytes, box.start + 8)] as const)
  const largest = sizes.reduce((best, size) => size[0] * size[1] > best[0] * best[1] ? size : best, [0, 0] as const)
  if (!(width > 0 && height > 0)) [width, height] = largest
  if (!(width > 0 && height > 0)) return
  Object.assign(facts, { width, height })
  // A tiny clip of a huge picture still has the whole decoded.
  if (largest[0] * largest[1] > width * height) facts.codedPixels = largest[0] * largest[1]
}

/** A clean aperture is given as fractions (ISO/IEC 14496-12 §12.1.4), and lies within the picture: one that does not, clips nothing. */
function clipped (bytes: Uint8Array, box: Box, [width, height]: [number, number]): [number, number] {
  const across = Math.round(u32(bytes, box.start) / u32(bytes, box.start + 4))
  const down = Math.round(u32(bytes, box.start + 8) / u32(bytes, box.start + 12))
  const isClip = across > 0 && down > 0 && Number.isFinite(across) && Number.isFinite(down)
  return isClip ? [Math.min(across, width), Math.min(down, height)] : [width, height]
}

function addDepth (bytes: Uint8Array, facts: Partial<Draft>, properties: readonly Box[]): void {
  for (const pixi of properties.filter(box => box.type === 'pixi')) {
    const [channels, bitDepth] = [u8(bytes, pixi.start + 4), u8(bytes, pixi.start + 5)]
    // That of an alpha plane has fewer than the picture's.
    if (channels > (facts.channels ?? 0) && channels <= 4 && bitDepth >= 1 && bitDepth <= 16) Object.assign(facts, { channels, bitDepth })
  }
  const av1 = properties.find(box => box.type === 'av1C')
  if (av1 === undefined) return
  // AV1-ISOBMFF §2.3.3: high_bitdepth and twelve_bit.
  const flags = u8(bytes, av1.start + 2)
  facts.bitDepth ??= (flags & 0x40) === 0 ? 8 : (flags & 0x20) === 0 ? 10 : 12
}

function isAlpha (bytes: Uint8Array, box: Box): boolean {
  return box.type === 'auxC' && ALPHA_KINDS.some(kind => has(bytes, box.start + 4, kind))
}
