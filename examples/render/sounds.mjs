import { scattered } from './exact.mjs'

const RATE = 16_000

/** Sixteen-bit mono PCM as WAV. */
function encodeWav (samples) {
  const head = Buffer.alloc(44)
  head.write('RIFF', 0, 'latin1')
  head.writeUInt32LE(36 + samples.length * 2, 4)
  head.write('WAVEfmt ', 8, 'latin1')
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(1, 20)
  head.writeUInt16LE(1, 22)
  head.writeUInt32LE(RATE, 24)
  head.writeUInt32LE(RATE * 2, 28)
  head.writeUInt16LE(2, 32)
  head.writeUInt16LE(16, 34)
  head.write('data', 36, 'latin1')
  head.writeUInt32LE(samples.length * 2, 40)
  const body = Buffer.alloc(samples.length * 2)
  samples.forEach((sample, place) => body.writeInt16LE(Math.round(Math.min(1, Math.max(-1, sample)) * 32_767), place * 2))
  return Buffer.concat([head, body])
}

/** A plucked string after Karplus and Strong (1983): a burst of noise that goes round and loses its edges. */
function pluck (samples, { start, hertz, seed }) {
  const string = Float64Array.from({ length: Math.round(RATE / hertz) }, (_, place) => scattered(seed * 4099 + place) - 0.5)
  for (let round = 0; round < 3; round++) soften(string)
  for (let time = Math.round(start * RATE), place = 0; time < samples.length; time++, place = (place + 1) % string.length) {
    const following = string[(place + 1) % string.length]
    samples[time] += string[place] * 0.7
    string[place] = (string[place] + following) * 0.4985
  }
}

function soften (string) {
  for (let place = 1; place < string.length; place++) string[place] = (string[place] + string[place - 1]) / 2
}

/** Two seconds of a rising chord. */
export function chime () {
  const samples = new Float64Array(RATE * 2)
  const notes = [220, 277.18, 329.63, 440, 554.37]
  notes.forEach((hertz, place) => pluck(samples, { start: place * 0.16, hertz, seed: place + 1 }))
  const fade = RATE / 2
  for (let place = 0; place < fade; place++) samples[samples.length - 1 - place] *= place / fade
  return encodeWav(samples)
}
