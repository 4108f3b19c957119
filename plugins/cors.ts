import fastifyCors from '@fastify/cors'
import type { FastifyInstance, onRequestHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import { isOriginAllowed, originMatchers } from '../lib/http/origin.ts'

/** Which origins may read, as the Fetch standard's CORS protocol tells browsers. */
export interface CorsOptions {
  /** Exact origins, `https://*.example.com` for every subdomain, or `*` for all. */
  origins: readonly string[]
  /** Whether cookies and authorization may come along. Default false; refused together with `*`. */
  credentials?: boolean
  /** Methods that a preflight allows. Default GET and HEAD. */
  methods?: readonly string[]
  /** Request headers that a preflight allows. Default: those it asks for. */
  allowedHeaders?: readonly string[] | undefined
  /** Answer headers that scripts may read. */
  exposedHeaders?: readonly string[]
  /** Seconds that a browser may keep a preflight's answer. Default 7200. */
  maxAgeSeconds?: number
  /** Whether allowed origins may read timings. Default false. */
  timingAllowOrigin?: boolean
  /** Whether the scope gets an OPTIONS route for preflights. Default true; false where it has one. */
  optionsRoute?: boolean
}

/**
 * CORS for a scope, by @fastify/cors: preflights are answered in its onRequest hook, so
 * before any hook that is registered later asks who the client is.
 *
 * @throws {TypeError} where `*` meets credentials, or an origin is none
 */
export default fp(async function cors (app, options: CorsOptions) {
  const matchers = originMatchers(options.origins)
  const any = options.origins.includes('*')
  if (any && options.credentials === true) throw new TypeError('Expected exact origins because credentials are allowed, but received *')
  const exposed = options.exposedHeaders?.join(', ') ?? ''
  const handleCrossOrigin = await hookOf(app, options, any ? '*' : matchers)
  // What an answer to a request without an origin needs, so that a shared cache may give it to one with.
  const plainHeaders: Record<string, string> = any
    ? { 'access-control-allow-origin': '*', ...(exposed === '' ? {} : { 'access-control-expose-headers': exposed }) }
    : { vary: 'Origin' }
  if (any && options.timingAllowOrigin === true) plainHeaders['timing-allow-origin'] = '*'

  app.addHook('onRequest', function handleCors (request, reply, done) {
    const { method, headers: { origin, 'access-control-request-method': asked } } = request.raw
    if (origin === undefined || (method === 'OPTIONS' && asked === undefined)) {
      reply.headers(plainHeaders)
      done()
      return
    }
    if (options.timingAllowOrigin === true && isOriginAllowed(origin, matchers)) reply.header('timing-allow-origin', any ? '*' : origin)
    handleCrossOrigin.call(this, request, reply, done)
  })
}, { fastify: '5.x', name: 'fastify-media-cors' })

/**
 * The hook of @fastify/cors. It is taken rather than registered because it merges options and
 * builds the route's description on every request, 4 µs of 18 measured, also where no origin
 * is named and its answer is a constant.
 */
async function hookOf (app: FastifyInstance, options: CorsOptions, origin: '*' | Array<string | RegExp>): Promise<onRequestHookHandler> {
  let hook: onRequestHookHandler | undefined
  const scope = {
    // the host may use @fastify/cors for itself
    decorateRequest: (name: string, value: unknown) => { if (!app.hasRequestDecorator(name)) app.decorateRequest(name, value) },
    addHook: (_name: string, handler: onRequestHookHandler) => { hook = handler },
    options: options.optionsRoute === false ? () => undefined : app.options.bind(app)
  }
  await new Promise<void>((resolve, reject) => {
    fastifyCors(scope as unknown as FastifyInstance, {
      origin, // a list even of one: only then is Vary there for those who are refused
      credentials: options.credentials ?? false,
      methods: [...options.methods ?? ['GET', 'HEAD']],
      maxAge: options.maxAgeSeconds ?? 7200,
      ...(options.allowedHeaders === undefined ? {} : { allowedHeaders: [...options.allowedHeaders] }),
      ...(options.exposedHeaders === undefined ? {} : { exposedHeaders: [...options.exposedHeaders] })
    }, error => error === undefined ? resolve() : reject(error))
  })
  if (hook === undefined) throw new TypeError('Expected @fastify/cors to add a hook')
  return hook
}
