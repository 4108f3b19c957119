import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest, onSendHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import { Asked, askedAs } from '../lib/access/asked.ts'
import { Rules, type Admission } from '../lib/access/rules.ts'
import { Recent } from '../lib/cache/recent.ts'
import type { AccessConfig } from '../lib/config/access-schema.ts'
import { MediaError } from '../lib/errors.ts'
import { privateCacheControl } from '../lib/http/cache-control.ts'
import { addVary } from '../lib/http/vary.ts'
import { isBelowAny } from '../lib/paths/folded.ts'
import { decodePath } from '../lib/paths/request-path.ts'

/** Who may do what in a scope. */
export interface AuthOptions {
  /** The rules; without them everybody may do everything that routes do. */
  access?: Partial<AccessConfig> | undefined
  /** The prefix of the mount, as the configuration has it: API keys are for mounts. Default that of the scope. */
  mount?: string
  /** Whether only GET, HEAD and OPTIONS do anything: then all others need what these need. Default false. */
  isReadOnly?: boolean
  /** Whether requests of every method go on to another server, and WebSockets. Default false. */
  isGateway?: boolean
  /** Whether others come behind, such as another server: they get no credentials, and what they say to CDNs is not believed. Default true. */
  passes?: boolean
  /** Whether routes answer every path of the scope. Default false: then those that none answers are refused as the others are, where the scope has a prefix and no such handler of its own yet. */
  coversAll?: boolean
  /** The path of the file that a request target asks for. Default: the path of the target, decoded once. */
  pathOf?: (target: string, method?: string) => string
  /** Prefixes of protected mounts below this one: however a path of theirs is spelled, it is not found here. */
  others?: readonly string[]
  /** The method that a request is judged as, where that is another than its own. */
  judgedAs?: ((request: IncomingMessage) => string | undefined) | undefined
  /** The strategy that knows the signatures of variants, where these alone are made. */
  signedBy?: string | undefined
  /** Whether a request target may ask for a variant. Default all. */
  mayNeedSignature?: ((target: string) => boolean) | undefined
}

/**
 * Asks of each request of a scope who it is from, before anything is done for it, and lets it go on if the rules
 * allow it: `request.principal` is known from here on. What is refused is answered 401 with what would help, 403
 * where nothing would, 503 where it cannot be told. Preflights of CORS, which carry no credentials, go on.
 *
 * @throws {TypeError} where a rule names no strategy
 */
export default fp(async function auth (app, options: AuthOptions) {
  const { access, mount = app.prefix === '' ? '/' : app.prefix, isReadOnly = false, isGateway = false, passes = true, coversAll = false, pathOf = decodePath, others = [], judgedAs, signedBy, mayNeedSignature } = options
  if (access === undefined && others.length === 0 && signedBy === undefined) return // nobody has to prove anything
  const rules = new Rules({ access, strategies: app.strategies, isReadOnly, isGateway, signedBy, mayNeedSignature })
  const taken = !passes || access?.passCredentials === true ? [] : rules.credentials
  const isOthers = others.length === 0 ? undefined : isBelowAny(others)
  const place = { mount, pathOf }
  app.addHook('onSend', privacy(rules.vary, { isAlways: !rules.isPublic('GET'), passes }))
  if (!coversAll && app.prefix !== '') refuseUnknown(app)

  // A path that two readers could read differently is thrown.
  app.addHook('onRequest', function authenticate (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): Promise<void> | undefined {
    const told = admit(request)
    if (told instanceof Promise) return takeInLater(request, told)
    if (told instanceof MediaError) {
      done(told)
    } else {
      takeIn(request, told)
      done()
    }
    return undefined
  })

  function admit (request: FastifyRequest): ReturnType<Rules['admit']> | undefined {
    if (isOthers?.(request.raw.url ?? '/') === true) return new MediaError('not-found')
    if (!isGateway && isPreflight(request)) return undefined
    const asked = new Asked(request, place)
    const method = judgedAs?.(request.raw)
    return rules.admit(method === undefined ? asked : askedAs(asked, method))
  }

  async function takeInLater (request: FastifyRequest, told: Promise<Admission | MediaError>): Promise<void> {
    const late = await told
    if (late instanceof MediaError) throw late
    takeIn(request, late)
  }

  /** Whoever comes next knows who asks, and finds neither signature nor credentials. */
  function takeIn (request: FastifyRequest, admission: Admission | undefined): void {
    if (admission === undefined) return
    const { raw } = request
    request.principal = admission.principal
    request.isSigned = admission.isSigned
    request.isPrivate = admission.isPrivate
    if (admission.target !== undefined) raw.url = admission.target
    for (const name of taken) if (raw.headers[name] !== undefined) delete raw.headers[name]
  }
}, { fastify: '5.x', name: 'fastify-media-auth', dependencies: ['fastify-media-client', 'fastify-media-strategies'] })

/** The Fetch standard's: https://fetch.spec.whatwg.org/#cors-preflight-request. Of a gateway, its origin would answer it: there it has to be allowed like any other. */
function isPreflight ({ raw: { method, headers } }: FastifyRequest): boolean {
  return method === 'OPTIONS' && headers.origin !== undefined && headers['access-control-request-method'] !== undefined
}

/** A path that no route answers runs the hooks of the scope that answers for it (https://fastify.dev/docs/latest/Reference/Server/#setnotfoundhandler). */
function refuseUnknown (app: FastifyInstance): void {
  try {
    app.setNotFoundHandler(function answerUnknown () { throw new MediaError('not-found') })
  } catch {
    // The host has one for this prefix, which runs the same hooks.
  }
}

/** Whether a field tells CDNs to keep what `Cache-Control` does not let them: those of RFC 9213, each with its name in front, and those before it. */
function isForCdns (name: string): boolean {
  return name.endsWith('-cache-control') || name === 'surrogate-control' || name === 'edge-control' || name === 'x-accel-expires'
}

/** Values of `Cache-Control` and `Vary` that are known with what becomes of them: origins may send ever new ones. */
const KNOWN_VALUES = 100

/** Whatever the rules of the mount, a handler or an origin say of its cache: an answer to one who had to prove who they are is theirs alone. */
function privacy (fields: readonly string[], { isAlways, passes }: { isAlways: boolean, passes: boolean }): onSendHookHandler {
  const known = new Recent<string, string>(KNOWN_VALUES)
  const varies = new Recent<string, string>(KNOWN_VALUES)
  return function keepPrivate (request, reply, payload, done) {
    if (!isAlways && !request.isPrivate) {
      done(null, payload)
      return
    }
    const present = String(reply.getHeader('cache-control') ?? '')
    let value = known.get(present)
    if (value === undefined) known.set(present, value = privateCacheControl(present))
    reply.header('cache-control', value)
    if (passes) for (const name in reply.getHeaders()) if (isForCdns(name)) reply.removeHeader(name)
    const varied = String(reply.getHeader('vary') ?? '')
    let vary = varies.get(varied)
    if (vary === undefined) varies.set(varied, vary = fields.reduce(addVary, varied))
    if (vary !== '') reply.header('vary', vary)
    done(null, payload)
  }
}
