import { maskSignatures } from '../signing/signed-target.ts'
import type { ForwardConfig } from '../config/access-schema.ts'
import { isHopByHop } from '../http/end-to-end-headers.ts'
import { encodeSegment } from '../paths/request-path.ts'
import type { AccessRequest } from './access.ts'
import { isRepeated } from './field-lines.ts'

/* What a policy service is told of a request. */

/** A question, ready to be sent. */
export interface PolicyQuestion {
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly body?: Buffer
  /** All that is told, as one text: it holds credentials. */
  readonly told: string
}

/** @throws {MediaError} `bad-path`, where the service could read another path than is served */
export type MakeQuestion = (request: AccessRequest) => PolicyQuestion

/** Fields of the request by which the protocol `request` tells what it is about: no client may send them on. */
const told = new Set(['x-original-method', 'x-original-uri', 'x-original-path', 'x-original-mount', 'x-client-address'])

/** Of a message, not of what it asks for: with these our own question would be another. */
const ofMessage = new Set(['host', 'content-length', 'expect', 'trailer'])

/** Whether a service may be told a field. @param name in lower case */
export function isTellable (name: string): boolean {
  return !isHopByHop(name) && !ofMessage.has(name) && !told.has(name)
}

/**
 * How a protocol asks.
 *
 * @param fields names of the fields that the service is told, in lower case
 */
export function questions (protocol: ForwardConfig['protocol'], fields: readonly string[]): MakeQuestion {
  return protocol === 'opa' ? input(fields) : subrequest(fields)
}

const json = { 'Content-Type': 'application/json', Accept: 'application/json' } as const

/**
 * For Open Policy Agent: `path` is the decoded path of the file, split, without empty segments
 * (a slash at its end shows in `url`); `url` is the request target without its signature. A field
 * is a text, and a list of texts where it was sent more than once.
 */
function input (fields: readonly string[]): MakeQuestion {
  return function makeInput (request) {
    const { method, mount, address } = request
    const path = request.path.split('/').filter(segment => segment !== '')
    const headers = Object.fromEntries(fieldsOf(request, fields))
    const text = JSON.stringify({ input: { method, path, url: maskSignatures(request.target), mount, address, headers } })
    return { method: 'POST', headers: json, body: Buffer.from(text), told: text }
  }
}

/**
 * As nginx's `auth_request` is mostly set up. `X-Original-URI` is what the client wrote, where
 * options of images may stand before the file: rules are better made of `X-Original-Path`, the
 * path of the file in one spelling of its percent-encoding.
 */
function subrequest (fields: readonly string[]): MakeQuestion {
  return function makeSubrequest (request) {
    const headers = {
      'X-Original-Method': request.method,
      'X-Original-URI': maskSignatures(request.target),
      'X-Original-Path': request.path.split('/').map(encodeSegment).join('/'),
      'X-Original-Mount': request.mount,
      'X-Client-Address': request.address,
      ...Object.fromEntries(fieldsOf(request, fields))
    }
    return { method: 'GET', headers, told: JSON.stringify(headers) }
  }
}

/** Fields by name. `headers` has but the first line of some, such as `Authorization`: the service is told all. */
function fieldsOf ({ headers, rawHeaders }: AccessRequest, names: readonly string[]): Array<[string, string | string[]]> {
  const fields: Array<[string, string | string[]]> = []
  for (const name of names) {
    const value = Object.hasOwn(headers, name) ? headers[name] : undefined
    if (value === undefined) continue
    // RFC 9113 §8.2.3: a cookie that came in pieces goes on as one, as it stands there.
    fields.push([name, name !== 'cookie' && isRepeated(rawHeaders, name) ? linesOf(rawHeaders, name) : value])
  }
  return fields
}

function linesOf (rawHeaders: readonly string[], name: string): string[] {
  return rawHeaders.filter((_, place) => place % 2 === 1 && rawHeaders[place - 1]?.toLowerCase() === name)
}
