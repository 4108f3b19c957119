import sharp from 'sharp'
import t from 'tap'
import { difference, file, madeRaster, make, picture, pixel, raster, rasterOf, withoutPictures, type Raster } from '../../../helpers/variant.ts'

/** Lopsided, so that no turn of it is another. */
const upright = rasterOf(120, 80, (x, y) => [x * 2, y * 3, x > 90 && y < 20 ? 255 : 40])

/** What a camera that was held so stores, by EXIF orientation. */
const stored: ReadonlyArray<(picture: Raster) => Raster> = [
  picture => picture,
  ({ width, height, ...rest }) => rasterOf(width, height, (x, y) => pixel({ width, height, ...rest }, width - 1 - x, y)),
  ({ width, height, ...rest }) => rasterOf(width, height, (x, y) => pixel({ width, height, ...rest }, width - 1 - x, height - 1 - y)),
  ({ width, height, ...rest }) => rasterOf(width, height, (x, y) => pixel({ width, height, ...rest }, x, height - 1 - y)),
  ({ width, height, ...rest }) => rasterOf(height, width, (x, y) => pixel({ width, height, ...rest }, y, x)),
  ({ width, height, ...rest }) => rasterOf(height, width, (x, y) => pixel({ width, height, ...rest }, width - 1 - y, x)),
  ({ width, height, ...rest }) => rasterOf(height, width, (x, y) => pixel({ width, height, ...rest }, width - 1 - y, height - 1 - x)),
  ({ width, height, ...rest }) => rasterOf(height, width, (x, y) => pixel({ width, height, ...rest }, y, height - 1 - x))
]

const lying = async (orientation: number, format: 'png' | 'webp' | 'tiff' | 'jpeg', exif = {}): Promise<Buffer> => {
  const bytes = await file((stored[orientation - 1] as (picture: Raster) => Raster)(upright))
  const image = sharp(bytes).withMetadata({ orientation, exif: { IFD0: exif } })
  return await (format === 'webp' ? image.webp({ lossless: true }) : format === 'jpeg' ? image.jpeg({ quality: 95 }) : format === 'tiff' ? image.tiff({ compression: 'lzw' }) : image.png()).toBuffer()
}

t.test('each of the eight orientations comes out upright', async t => {
  for (const format of ['png', 'webp', 'jpeg'] as const) {
    for (let orientation = 1; orientation <= 8; orientation++) {
      const original = await lying(orientation, format)
      t.ok(difference(await madeRaster(original, ''), upright) < 4, `${format} ${orientation}`)
      t.ok(difference(await madeRaster(original, 'rect=80,0,40,30'), rasterOf(40, 30, (x, y) => pixel(upright, x + 80, y))) < 4, `${format} ${orientation}, a part`)
      t.ok(difference(await madeRaster(original, 'w=40&h=40&fit=cover&position=right'), await madeRaster(await file(upright), 'w=40&h=40&fit=cover&position=right')) < 6, `${format} ${orientation}, cut`)
    }
  }
  t.ok(difference(await madeRaster(await lying(6, 'tiff'), ''), upright) < 1, 'TIFF')
})

t.test('so it does in every format that a variant may have', async t => {
  for (const format of ['jpeg', 'png', 'webp', 'avif', 'tiff'] as const) {
    for (const orientation of [1, 3, 5, 6, 8]) {
      const { bytes } = await make(await lying(orientation, 'jpeg'), '', { format })
      t.match(await sharp(bytes).metadata(), { width: 120, height: 80 }, `${format} ${orientation}`)
      t.ok(difference(await raster(bytes), upright) < 9, `${format} ${orientation}`)
    }
  }
})

t.test('a variant has no orientation of its own, whatever metadata it keeps', async t => {
  for (const meta of ['none', 'copyright', 'all']) {
    for (const orientation of [3, 6]) {
      const { bytes } = await make(await lying(orientation, 'jpeg', { Copyright: 'Ada' }), `meta=${meta}`, { format: 'jpeg' })
      const told = await sharp(bytes).metadata()
      t.ok(told.orientation === undefined || told.orientation === 1, `${meta}: ${told.orientation}`)
      t.equal(told.exif?.includes('Ada') ?? false, meta !== 'none')
      t.ok(difference(await raster(bytes), upright) < 4, 'and is upright')
    }
  }
})

t.test('metadata that are kept do not change how parts are found', async t => {
  const part = rasterOf(40, 30, (x, y) => pixel(upright, x + 80, y))
  t.ok(difference(await madeRaster(await lying(6, 'jpeg'), 'meta=all&rect=80,0,40,30'), part) < 4)
  t.ok(difference(await madeRaster(await lying(6, 'jpeg'), 'meta=all&orient=none'), (stored[5] as (picture: Raster) => Raster)(upright)) < 4)
})

t.test('real pictures of all orientations look alike', { skip: withoutPictures }, async t => {
  for (const shape of ['landscape', 'portrait']) {
    const first = await madeRaster(picture(`orientation/${shape}_1.jpg`), 'w=150')
    for (let orientation = 2; orientation <= 8; orientation++) {
      const mean = difference(await madeRaster(picture(`orientation/${shape}_${orientation}.jpg`), 'w=150'), first)
      t.ok(mean < 6, `${shape} ${orientation}: ${mean.toFixed(2)}`)
    }
  }
  t.match(await madeRaster(picture('orientation/avif-orientation-6.avif'), 'w=150'), { width: 150, height: 200 }, 'AVIF')
})

t.test('the part that is most to look at is the same, however the original lies', async t => {
  for (const position of ['attention', 'entropy']) {
    const straight = await madeRaster(await lying(1, 'png'), `w=30&h=40&fit=cover&position=${position}`)
    for (const orientation of [2, 3, 6]) {
      const found = await madeRaster(await lying(orientation, 'png'), `w=30&h=40&fit=cover&position=${position}`)
      t.ok(difference(found, straight) < 4, `${position} ${orientation}: ${difference(found, straight).toFixed(2)}`)
    }
  }
})
