/*
 * Makes the files of examples/media: `node examples/render.mjs [directory]`. What is made is
 * the same on every machine, except for what zlib packs: its bytes differ between versions,
 * but never what they unpack to.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { compass, flower, waves } from './render/drawings.mjs'
import { dusk, glass, julia, orbit, sunflower, truchet } from './render/pictures.mjs'
import { chime } from './render/sounds.mjs'
import { page, planets, style, welcome } from './render/texts.mjs'

/** Every file and what makes it. One name needs encoding in a URL, as real names do. */
const files = {
  'dusk.png': dusk,
  'flower.svg': flower,
  'glass.png': glass,
  'julia.png': julia,
  'orbit.gif': orbit,
  'sunflower.png': sunflower,
  'waves.svg': waves,
  'welcome.txt': () => welcome,
  'patterns/truchet.png': truchet,
  'patterns/old maps/compass & rose (100 %).svg': compass,
  'site/index.html': () => page,
  'site/style.css': () => style,
  'site/style.css.br': () => brotliCompressSync(style),
  'site/style.css.gz': () => gzipSync(style, { level: 9 }),
  'sounds/chime.wav': chime,
  'tables/planets.csv': () => planets
}

const directory = process.argv[2] ?? fileURLToPath(new URL('media', import.meta.url))
for (const [name, make] of Object.entries(files)) {
  const path = join(directory, name)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, make())
}
