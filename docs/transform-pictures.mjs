// Makes the picture of each operation in docs/transforms.md: `npm run build && node docs/transform-pictures.mjs [NAME…]`.
// The original is drawn here, and each operation's `example` is done to it by the pipeline itself.
// transforms/manifest.json tells of each picture what it was made of, which a test holds to what
// it would be made of now.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import sharp from 'sharp'
import { runJob } from '../dist/lib/image/pipeline/pipeline.js'
import { inputFormats } from '../dist/lib/image/format.js'
import { parseQuery } from '../dist/lib/transform/grammars/query.js'
import { operationNames, operations } from '../dist/lib/transform/operations.js'
import { canonical } from '../dist/lib/transform/transform.js'
import { logo, scene } from './transforms/scene.mjs'

const directory = join(import.meta.dirname, 'transforms')
const manifestPath = join(directory, 'manifest.json')
const limits = { inputPixels: 50_000_000, outputPixels: 25_000_000, framePixels: 100_000_000, dimension: 8192, inputs: inputFormats }

/** Widest side of a picture in the page. */
const SHOWN = 480

const drawn = async (options = {}) => await sharp(Buffer.from(scene(options))).resize(640).png().toBuffer()

/** Originals that show what an operation does where the usual one does not. */
const originals = {
  usual: async () => await sharp(await drawn()).jpeg({ quality: 90 }).toBuffer(),
  frames: async () => await sharp(await Promise.all([0, 1, 2, 3].map(async step => await sharp(await drawn({ sun: step / 3 })).resize(320).toBuffer())), { join: { animated: true } }).gif({ delay: [300, 300, 300, 300] }).toBuffer(),
  bordered: async () => await sharp(await drawn()).resize(420).extend({ top: 40, bottom: 60, left: 90, right: 30, background: '#f4f1ea' }).png().toBuffer(),
  turned: async () => await sharp(await drawn()).rotate(270).withMetadata({ orientation: 6 }).jpeg().toBuffer(),
  white: async () => await sharp(Buffer.from(logo)).flatten({ background: '#ffffff' }).png().toBuffer(),
  specked: async () => await specked(await drawn())
}
const originalOf = { frame: 'frames', animated: 'frames', trim: 'bordered', orient: 'turned', median: 'specked', unflatten: 'white' }

/** White and black specks, the same each time. */
async function specked (png) {
  const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  for (let i = 0, state = 7; i < info.width * info.height; i++) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    if (state % 300 === 0) data.fill(state % 600 === 0 ? 255 : 0, i * info.channels, (i + 1) * info.channels)
  }
  return await sharp(data, { raw: info }).png().toBuffer()
}

function input (bytes) {
  return { path: undefined, size: bytes.length, head: async length => bytes.subarray(0, length), bytes: async () => bytes }
}

async function picture (name) {
  const transform = canonical(parseQuery(operations[name].example, { unknown: 'refuse', ignored: [] }).values)
  const original = await originals[originalOf[name] ?? 'usual']()
  const animated = originalOf[name] === 'frames'
  const format = transform.f === undefined || transform.f === 'auto' ? animated ? 'gif' : 'png' : transform.f
  const overlays = transform.mark === undefined ? [] : [input(await sharp(Buffer.from(logo)).png().toBuffer())]
  const { bytes } = await runJob({ kind: 'variant', transform, format, limits }, [input(original), ...overlays], AbortSignal.timeout(60_000))
  return await sharp(bytes, { animated }).resize(SHOWN, undefined, { withoutEnlargement: true }).webp({ quality: 75, effort: 6 }).toBuffer()
}

function digest (bytes) {
  return createHash('sha256').update(bytes).digest('base64url').slice(0, 22)
}

/** What the picture of an operation is made of: its example, and the original and the overlay it is done to. */
export function madeOf (name) {
  const original = originalOf[name] ?? 'usual'
  return digest(JSON.stringify([operations[name].example, original, String(originals[original]), scene(), logo, SHOWN]))
}

/** By operation: what its picture was made of when it was made, and the digest of the file. */
export function readManifest () {
  return existsSync(manifestPath) ? JSON.parse(readFileSync(manifestPath, 'utf8')) : {}
}

/** The digest of a picture's file; undefined where there is none. */
export function digestOfPicture (name) {
  const path = join(directory, `${name}.webp`)
  return existsSync(path) ? digest(readFileSync(path)) : undefined
}

async function write (names) {
  mkdirSync(directory, { recursive: true })
  const known = readManifest()
  for (const name of names) {
    writeFileSync(join(directory, `${name}.webp`), await picture(name))
    known[name] = { of: madeOf(name), picture: digestOfPicture(name) }
  }
  const manifest = Object.fromEntries(operationNames.flatMap(name => known[name] === undefined ? [] : [[name, known[name]]]))
  writeFileSync(manifestPath, `${JSON.stringify(manifest, null, 2)}\n`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await write(process.argv.length > 2 ? process.argv.slice(2) : operationNames)
