// What the pictures of docs/transforms.md are made from: a cat that looks at the sun from a hill.

/** @param sun how far the sun has risen, 0 to 1 */
export function scene ({ sun = 0.6 } = {}) {
  const height = 300 - sun * 180
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 427">
  <defs>
    <linearGradient id="sky" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#1d4e89"/><stop offset=".55" stop-color="#f7b267"/><stop offset="1" stop-color="#f25c54"/></linearGradient>
    <radialGradient id="glow"><stop offset="0" stop-color="#fffbe6"/><stop offset=".35" stop-color="#ffe08a"/><stop offset="1" stop-color="#ffe08a" stop-opacity="0"/></radialGradient>
    <linearGradient id="near" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#2f6b3c"/><stop offset="1" stop-color="#12331d"/></linearGradient>
  </defs>
  <rect width="640" height="427" fill="url(#sky)"/>
  <circle cx="470" cy="${height}" r="120" fill="url(#glow)"/>
  <circle cx="470" cy="${height}" r="34" fill="#fff3c4"/>
  ${[[90, 70, 46], [210, 45, 30], [330, 92, 38], [560, 60, 28]].map(([x, y, size]) => `<g fill="#fff" fill-opacity=".75"><ellipse cx="${x}" cy="${y}" rx="${size}" ry="${size / 3}"/><ellipse cx="${x + size / 2}" cy="${y - size / 5}" rx="${size / 2}" ry="${size / 3}"/></g>`).join('\n  ')}
  <path d="M0 300 L90 200 L150 250 L250 170 L350 265 L430 215 L540 285 L640 235 V427 H0Z" fill="#54457f"/>
  <path d="M250 170 L222 193 L246 199 L262 190 L279 198Z" fill="#efe6ff"/>
  <path d="M0 330 Q160 270 320 320 T640 310 V427 H0Z" fill="#3f8f5a"/>
  <path d="M0 372 Q140 322 300 360 T640 366 V427 H0Z" fill="url(#near)"/>
  ${Array.from({ length: 46 }, (_, i) => `<path d="M${i * 14 + 4} 427 q${(i % 5) - 2} -${14 + (i * 7) % 18} ${(i % 7) - 3} -${22 + (i * 11) % 26}" stroke="#6fbf73" stroke-width="2" fill="none"/>`).join('\n  ')}
  <g fill="#1b1b22">
    <path d="M150 372 C128 372 118 330 136 296 C140 286 140 270 142 256 L156 268 Q168 262 180 268 L194 256 C196 272 196 288 200 298 C216 332 208 372 186 372Z"/>
    <path d="M196 366 C240 366 246 330 232 306" fill="none" stroke="#1b1b22" stroke-width="11" stroke-linecap="round"/>
  </g>
  <ellipse cx="160" cy="282" rx="5" ry="6" fill="#ffd166"/><ellipse cx="178" cy="282" rx="5" ry="6" fill="#ffd166"/>
  <ellipse cx="161" cy="282" rx="1.6" ry="5" fill="#1b1b22"/><ellipse cx="179" cy="282" rx="1.6" ry="5" fill="#1b1b22"/>
  <path d="M166 291 h6 l-3 4z" fill="#f28482"/>
</svg>`
}

/** The overlay of the examples. */
export const logo = `<svg xmlns="http://www.w3.org/2000/svg" width="200" height="120" viewBox="0 0 200 120">
  <rect x="6" y="6" width="188" height="108" rx="26" fill="#ffffff" fill-opacity=".85"/>
  <circle cx="62" cy="60" r="30" fill="#e4572e"/><path d="M110 88 L140 34 L170 88Z" fill="#2e86ab"/>
</svg>`
