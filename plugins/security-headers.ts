import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { essence, isActive } from '../lib/http/media-type.ts'

/** What browsers are told not to do with the answers of a scope. */
export interface SecurityHeadersOptions {
  /** `Cross-Origin-Resource-Policy`. Default `cross-origin`: pictures are made to be embedded. */
  resourcePolicy?: 'cross-origin' | 'same-site' | 'same-origin'
  /**
   * Which documents are shut off from scripts, forms and their origin: `svg` (default), every
   * `active` type (HTML, XML, PDF too: for what users upload), or `none`.
   */
  sandbox?: 'svg' | 'active' | 'none'
  /**
   * What of another server's answers stays as it is: `none` (default), its `own` headers of these
   * names where it has them, or `all`: nothing is added.
   */
  passes?: 'none' | 'own' | 'all'
  /** What the documents that would be shut off may do instead: a `Content-Security-Policy`, for pages of one's own. */
  policy?: string
}

/** Inline styles and data images are part of how SVG is drawn; nothing is loaded, nothing runs. */
const SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"

/** `nosniff`, `Cross-Origin-Resource-Policy`, and a CSP sandbox for documents that could run scripts. */
export default fp(async function securityHeaders (app, options: SecurityHeadersOptions) {
  const headers = {
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': options.resourcePolicy ?? 'cross-origin'
  }
  const fields = Object.entries(headers)
  const needsSandbox = sandboxTest(options.sandbox ?? 'svg')

  const { passes = 'none', policy = SANDBOX } = options
  if (passes === 'all') return

  app.addHook('onSend', function setSecurityHeaders (_request: FastifyRequest, reply: FastifyReply, payload: unknown, done: (error: null, payload: unknown) => void) {
    if (passes === 'none') reply.headers(headers)
    else for (const [name, value] of fields) if (!reply.hasHeader(name)) reply.header(name, value)
    const type = reply.representation?.type ?? reply.getHeader('content-type')
    if (typeof type === 'string' && needsSandbox(type) && !reply.hasHeader('content-security-policy')) reply.header('content-security-policy', policy)
    done(null, payload)
  })
}, { fastify: '5.x', name: 'fastify-media-security-headers' })

function sandboxTest (sandbox: 'svg' | 'active' | 'none'): (type: string) => boolean {
  if (sandbox === 'none') return () => false
  const test = sandbox === 'active' ? isActive : (type: string) => essence(type) === 'image/svg+xml'
  const known = new Map<string, boolean>()
  return function needsSandbox (type) {
    let needed = known.get(type)
    if (needed === undefined) {
      needed = test(type)
      if (known.size < 1000) known.set(type, needed) // bounded: types may come from an upstream
    }
    return needed
  }
}
