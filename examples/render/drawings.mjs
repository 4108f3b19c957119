import { cosine, noise, sine } from './exact.mjs'

const round = number => Math.round(number * 10) / 10

/** Petals about a centre, in three rings. */
export function flower () {
  const rings = [
    { petals: 12, length: 172, width: 46, paint: 'url(#outer)' },
    { petals: 9, length: 128, width: 40, paint: 'url(#middle)' },
    { petals: 6, length: 82, width: 32, paint: 'url(#inner)' }
  ]
  const petals = rings.flatMap(({ petals: count, length, width, paint }, ring) => Array.from({ length: count }, (_, place) =>
    `  <path transform="rotate(${round((place + ring / 2) * 360 / count)})" d="M0 0C${width} -${length / 3} ${width} -${length * 0.75} 0 -${length}C-${width} -${length * 0.75} -${width} -${length / 3} 0 0z" fill="${paint}"/>`))
  return `<svg xmlns="http://www.w3.org/2000/svg" width="480" height="360" viewBox="-240 -180 480 360">
  <title>Flower</title>
  <defs>
    ${gradient('outer', '#ff8fab', '#c9184a')}
    ${gradient('middle', '#ffd6a5', '#ff6b6b')}
    ${gradient('inner', '#fff3b0', '#f4a261')}
  </defs>
${petals.join('\n')}
  <circle r="24" fill="#7f4f24"/>
</svg>
`
}

function gradient (name, from, to) {
  return `<linearGradient id="${name}" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="${from}"/><stop offset="1" stop-color="${to}"/></linearGradient>`
}

/** Waves before a low sun, each a line of its own. */
export function waves () {
  const lines = Array.from({ length: 14 }, (_, line) => {
    const base = 172 + line * 19
    const points = Array.from({ length: 61 }, (_value, place) => `${place * 10} ${round(base - (noise(place / 5 + line * 3.3, line) + sine(place / 23 + line / 9)) * (4 + line * 0.9))}`)
    return `  <path d="M0 450L${points.join('L')}L600 450z" fill="hsl(${196 + line * 2} ${62 + line}% ${70 - line * 4}%)"/>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" width="600" height="450" viewBox="0 0 600 450">
  <title>Waves</title>
  <rect width="600" height="450" fill="#ffe8d1"/>
  <circle cx="410" cy="146" r="62" fill="#ff7f51"/>
${lines.join('\n')}
</svg>
`
}

/** A compass rose: lines and letters. */
export function compass () {
  const points = Array.from({ length: 16 }, (_, place) => {
    const length = [150, 70, 100, 70][place % 4]
    const side = [18, 9, 13, 9][place % 4]
    return `    <path transform="rotate(${place * 22.5})" d="M0 -${length}L${side} -${side}L0 0z" fill="#1f2a44"/><path transform="rotate(${place * 22.5})" d="M0 -${length}L-${side} -${side}L0 0z" fill="#d9a441"/>`
  })
  const ticks = Array.from({ length: 72 }, (_, place) => `M${round(cosine(place / 72) * 162)} ${round(sine(place / 72) * 162)}L${round(cosine(place / 72) * 168)} ${round(sine(place / 72) * 168)}`)
  return `<svg xmlns="http://www.w3.org/2000/svg" width="400" height="400" viewBox="-200 -200 400 400">
  <title>Compass rose</title>
  <circle r="196" fill="#f7f0e0"/>
  <circle r="158" fill="none" stroke="#1f2a44" stroke-width="1.5"/>
  <path d="${ticks.join('')}" stroke="#1f2a44"/>
  <g>
${points.filter((_, place) => place % 2 === 1).join('\n')}
${points.filter((_, place) => place % 4 === 2).join('\n')}
${points.filter((_, place) => place % 4 === 0).join('\n')}
  </g>
  <g fill="#1f2a44" font-family="Georgia, serif" font-size="20" text-anchor="middle">
    <text y="-174">N</text><text x="182" y="7">E</text><text y="189">S</text><text x="-182" y="7">W</text>
  </g>
</svg>
`
}
