import type { OutputInfo, Sharp } from 'sharp'
import { engineFault } from './engine-faults.ts'

/** Runs what is queued. @throws {MediaError} in public words */
export async function rendered (image: Sharp): Promise<{ data: Buffer, info: OutputInfo }> {
  try {
    return await image.toBuffer({ resolveWithObject: true })
  } catch (error) {
    throw engineFault(error)
  }
}
