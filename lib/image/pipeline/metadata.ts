import type { Exif as ExifToWrite } from 'sharp'
import { Exif } from '../info/exif.ts'

/**
 * What stays of the metadata by default: who made the picture, and who has the rights.
 * Undefined where it tells neither. Damaged metadata tell nothing.
 */
export function copyrightOf (exif: Buffer | undefined): ExifToWrite | undefined {
  if (exif === undefined) return undefined
  const { copyright, artist } = new Exif(exif).rights()
  if (copyright === undefined && artist === undefined) return undefined
  return { IFD0: { ...(copyright === undefined ? {} : { Copyright: copyright }), ...(artist === undefined ? {} : { Artist: artist }) } }
}
