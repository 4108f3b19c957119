import { copyFileSync, existsSync, linkSync, mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'

/** The real pictures that lie beside the project. */
const corpus = fileURLToPath(new URL('../../../shared/images', import.meta.url))

/** Photos of 8 to 24 megapixels: six progressive, two with a colour profile. */
export const photos = [
  'bus-12mp-displayp3.jpg', 'dandelion-16mp.jpg', 'dragonfly-13mp.jpg', 'gradient-8mp.jpg', 'mountain-8mp.jpg',
  'nuthatch-20mp.jpg', 'room-portrait-10mp.jpg', 'stripes-24mp.jpg', 'sunset-12mp.jpg'
]
/** What is asked for by 64 at once. */
export const twelveMegapixels = ['bus-12mp-displayp3.jpg', 'dragonfly-13mp.jpg', 'sunset-12mp.jpg']

export const animations = ['rotating-squares.gif', 'loop3.gif', 'dispose-background.gif', 'cogs.gif', 'anim-large-gif-anim-combine.gif']

/** Two real ones, and a photo as a PNG of 5 megapixels. */
export const pngs = ['palette.png', 'wide-gamut-p3-ring.png', 'mountain.png']

const folders = { photos, gif: animations, png: pngs.slice(0, 2) }

/** Ends the process with a sentence where the pictures are missing. */
export function requirePictures () {
  if (existsSync(corpus)) return
  console.error('Expected real pictures in ../shared/images beside the project but found none')
  process.exit(2)
}

/** Copies every picture into `originals` below a directory. */
export async function writePictures (root) {
  const originals = join(root, 'originals')
  mkdirSync(originals)
  for (const [folder, names] of Object.entries(folders)) {
    for (const name of names) copyFileSync(join(corpus, folder, name), join(originals, name))
  }
  await sharp(join(originals, 'mountain-8mp.jpg')).resize({ width: 2600 }).png({ compressionLevel: 6 }).toFile(join(originals, 'mountain.png'))
}

/** A file that changed a moment ago may change again unseen: its variants are not found once that is over. */
const YOUNG_MS = 100

/**
 * Gives pictures other names, under which nobody has asked for them.
 *
 * @param {string[]} names of originals
 * @returns {Promise<string[]>} paths below the root, in the same order
 */
export async function freshPaths (root, set, names) {
  mkdirSync(join(root, set), { recursive: true })
  const paths = names.map((name, place) => `${set}/${place}-${basename(name)}`)
  for (const [place, path] of paths.entries()) linkSync(join(root, 'originals', names[place]), join(root, path))
  await sleep(YOUNG_MS)
  return paths
}
