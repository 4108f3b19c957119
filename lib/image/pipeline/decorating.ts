import type { OverlayOptions } from 'sharp'
import { background, isGrey, type Colour } from './colour.ts'
import type { Size } from './geometry.ts'
import { layMark } from './mark.ts'
import { overlay, queue, settle } from './picture.ts'
import { pixelated } from './pixelate.ts'
import { wantsBackground } from './sizing.ts'
import { place, type Step, type Work } from './work.ts'
import { layWords } from './words.ts'

/** What is added to the finished picture, in the order of the table; the border of `contain` first, which is part of what corners are rounded of. */
export const decorate: Step = async work => {
  let next = work
  for (const part of [pixelate, letterbox, mask, pad, fillBehind, layMark, layWords]) next = await part(next)
  return next
}

async function pixelate (work: Work): Promise<Work> {
  const { px } = work.job.transform
  if (px === undefined) return work
  const settled = await settle(work)
  return await pixelated(settled, px)
}

async function letterbox (work: Work): Promise<Work> {
  const { canvas, picture: { size } } = work
  if (canvas === undefined) return work
  const { left, top, width, height } = canvas
  return await extend({ ...work, canvas: undefined }, { left, top, right: width - size.width - left, bottom: height - size.height - top })
}

async function pad (work: Work): Promise<Work> {
  if (work.job.transform.pad === undefined) return work
  const [top = 0, right = 0, bottom = 0, left = 0] = work.job.transform.pad
  return await extend(work, { top, right, bottom, left })
}

async function extend (work: Work, sides: { top: number, right: number, bottom: number, left: number }): Promise<Work> {
  const { job: { transform, format }, picture } = work
  const behind = background(transform.bg, format)
  const size = { width: picture.size.width + sides.left + sides.right, height: picture.size.height + sides.top + sides.bottom }
  // A second border would take the place of the first.
  const ready = picture.place === place.extend ? await settle(work) : work
  return await queue(ready, place.extend, image => image.extend({ ...sides, background: behind }), {
    size,
    hasAlpha: picture.hasAlpha || behind.alpha < 1,
    grey: picture.grey && isGrey(behind) && behind.alpha === 1
  })
}

/** A rounded corner's radius, where none is given: this part of the shorter side. */
const CORNER = 0.1

/** The shape that stays, as SVG; the renderer smooths its edges. */
function shape ({ width, height }: Size, kind: 'ellipse' | 'circle' | 'corners', radius: number): string {
  const [x, y] = [width / 2, height / 2]
  if (kind === 'corners') return rounded({ width, height }, Math.min(radius, x, y))
  const least = Math.min(x, y)
  return oval(x, y, kind === 'circle' ? { x: least, y: least } : { x, y })
}

function oval (x: number, y: number, radius: { x: number, y: number }): string {
  return `M${x - radius.x} ${y}a${radius.x} ${radius.y} 0 1 0 ${2 * radius.x} 0a${radius.x} ${radius.y} 0 1 0 ${-2 * radius.x} 0z`
}

function rounded ({ width, height }: Size, radius: number): string {
  const arc = `a${radius} ${radius} 0 0 1`
  return `M${radius} 0H${width - radius}${arc} ${radius} ${radius}V${height - radius}${arc} ${-radius} ${radius}H${radius}${arc} ${-radius} ${-radius}V${radius}${arc} ${radius} ${-radius}z`
}

function drawn ({ width, height }: Size, path: string, fill: string): Buffer {
  return Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><path fill-rule="evenodd" d="${path}" ${fill}/></svg>`)
}

async function mask (work: Work): Promise<Work> {
  const { job: { transform, format }, picture: { size } } = work
  if (transform.mask === undefined && transform.radius === undefined) return work
  const radius = transform.radius ?? Math.min(size.width, size.height) * CORNER
  const path = shape(size, transform.mask ?? 'corners', radius)
  const behind = background(transform.bg, format)
  const outside = `M0 0H${size.width}V${size.height}H0z${path}`
  return behind.alpha === 1
    ? await overlay(work, [{ input: drawn(size, outside, `fill="${css(behind)}"`) }], { grey: work.picture.grey && isGrey(behind) })
    : await overlay(work, [{ input: drawn(size, path, 'fill="#fff"'), blend: 'dest-in' }], { hasAlpha: true, grey: false })
}

function css ({ r, g, b }: Colour): string {
  return `rgb(${r},${g},${b})`
}

/** The background behind what is still transparent. */
async function fillBehind (work: Work): Promise<Work> {
  const { job: { transform, format }, picture } = work
  if (!picture.hasAlpha || !wantsBackground(transform, format)) return work
  const behind = background(transform.bg, format)
  if (behind.alpha === 0) return work
  const { width, height } = picture.size
  const input: OverlayOptions = { input: { create: { width, height, channels: 4, background: behind } }, blend: 'dest-over' }
  return await overlay(work, [input], { hasAlpha: behind.alpha < 1, grey: false })
}
