import { animations, photos, pngs } from './pictures.mjs'

/** Our settings in vipsthumbnail's words. Debian's writes no AVIF. */
const outputs = {
  jpeg: '.jpg[Q=80,optimize_coding,strip]',
  webp: '.webp[Q=82,effort=2,strip]'
}

/**
 * What is made, by each of those who make it. `ours`: our query; `ipx`: IPX's modifiers;
 * `bare`: how sharp resizes; `vips`: size and output of vipsthumbnail, with our qualities.
 * `figure`: how many times IPX's throughput ours must be.
 */
export const targets = [
  photo('320 JPEG', { width: 320, format: 'jpeg', figure: 1 }),
  photo('1600 JPEG', { width: 1600, format: 'jpeg', figure: 1 }),
  photo('800 WebP', { width: 800, format: 'webp', figure: 1.3 }),
  photo('800 AVIF', { width: 800, format: 'avif', figure: 5 }),
  { ...photo('PNG to 800 WebP', { width: 800, format: 'webp' }), originals: pngs },
  {
    name: 'GIF to WebP',
    originals: animations,
    format: 'webp',
    animated: true,
    ours: 'f=webp',
    ipx: 'animated,f_webp',
    bare: undefined
  },
  {
    name: 'smart crop 400',
    originals: photos,
    format: 'jpeg',
    width: 400,
    ours: 'w=400&h=400&fit=cover&position=attention&f=jpeg',
    ipx: 'fit_cover,position_attention,s_400x400,f_jpeg',
    bare: { width: 400, height: 400, fit: 'cover', position: 'attention' },
    vips: { size: '400x400', more: ['--smartcrop', 'attention'], output: '.jpg[Q=80,optimize_coding,strip]' }
  }
]

function photo (name, { width, format, figure }) {
  return {
    name,
    originals: photos,
    format,
    width,
    figure,
    ours: `w=${width}&f=${format}`,
    ipx: `w_${width},f_${format}`,
    bare: { width },
    vips: outputs[format] === undefined ? undefined : { size: `${width}x`, more: [], output: outputs[format] }
  }
}
