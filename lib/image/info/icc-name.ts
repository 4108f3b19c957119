import { has, text, u32 } from '../headers/bytes.ts'

/** Tags of a profile that are looked at, and characters of its name. A file's author pushes against both. */
const MAX_TAGS = 100
const MAX_NAME = 100

/** A colour profile's description (ICC.1:2022 §9.2.41, and ICC.1:2001 §6.5.17 for version 2), as people know it. */
export function iccName (profile: Uint8Array): string | undefined {
  const count = Math.min(u32(profile, 128), MAX_TAGS)
  for (let n = 0; n < count; n++) {
    const at = 132 + 12 * n
    if (has(profile, at, 'desc')) return nameAt(profile, u32(profile, at + 4))
  }
  return undefined
}

function nameAt (profile: Uint8Array, at: number): string | undefined {
  if (has(profile, at, 'desc')) return readable(text(profile, at + 12, Math.min(u32(profile, at + 8), MAX_NAME)))
  if (!has(profile, at, 'mluc')) return undefined
  const [length, offset] = [Math.min(u32(profile, at + 20), 2 * MAX_NAME), u32(profile, at + 24)]
  const bytes = profile.subarray(at + offset, at + offset + length)
  return readable(Buffer.from(bytes.subarray(0, bytes.length - bytes.length % 2)).swap16().toString('utf16le'))
}

function readable (name: string): string | undefined {
  const [clean = ''] = name.split('\0', 1)
  return clean.trim() === '' ? undefined : clean.trim()
}
