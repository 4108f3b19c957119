import { ServerResponse } from 'node:http'
import type { Fields } from './message.ts'
import { passableTrailers } from './passed-fields.ts'

/** Adds trailer fields to an answer whose body has just ended, where its framing has a place for them. */
export function trail (response: ServerResponse, trailers: Fields | undefined): void {
  const fields = passableTrailers(trailers)
  if (fields === undefined || response.writableEnded) return
  if (response instanceof ServerResponse && !response.chunkedEncoding) return
  response.addTrailers(response instanceof ServerResponse ? pairs(fields) : fields)
}

/** One pair for each line. */
export function pairs (fields: Fields): Array<[string, string]> {
  return Object.entries(fields).flatMap(([name, value]) => [value].flat().map(each => [name, each] as [string, string]))
}
