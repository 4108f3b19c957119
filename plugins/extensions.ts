import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import type { MountPlugin } from '../lib/config/load-plugins.ts'

/** Which plugins of others a scope has, and which of them have their turn. */
export interface ExtensionsOptions {
  /** The place in the order that is now. */
  at: MountPlugin['at']
  /** Those of all places: the others are passed over. */
  plugins: readonly MountPlugin[]
}

/** A plugin's turn. */
interface Slot extends Pick<MountPlugin, 'name' | 'at'> {
  readonly mount: string
  isOver: boolean
}

/** What Fastify asks a plugin: whether it wants no scope of its own. */
const skipOverride = Symbol.for('skip-override')

/** Of the server's life, not of a request's: there is no order of them to keep. */
const lifeHooks: ReadonlySet<string> = new Set(['onReady', 'onListen', 'preClose', 'onClose'])

/** Hooks on the way out, and where requests end otherwise. */
const endHooks: ReadonlySet<string> = new Set(['onSend', 'onResponse', 'onTimeout', 'onRequestAbort', 'onError'])

/** Names that the order is read by. */
const reservedNames: ReadonlySet<string> = new Set(['authenticate', 'limitAddress', 'limitPrincipal'])

/**
 * Registers the plugins of others that have their place here, in their order and in the scope itself: their hooks
 * run for all of its routes, also where their author did not ask for that. A plugin may add hooks that requests run
 * through in its turn only, those of the place `onSend` only ones for the way out. Nameless hooks are named after
 * their plugin.
 *
 * This is against mistakes: a plugin runs in this process, and can do what it likes with the rest of it.
 *
 * @throws {TypeError} where a plugin adds a hook too late or in the wrong place, to the plugin
 */
export default fp(async function extensions (app, { at, plugins }: ExtensionsOptions) {
  for (const { name, plugin, options } of plugins.filter(mounted => mounted.at === at)) {
    const slot: Slot = { name, at, mount: app.prefix === '' ? '/' : app.prefix, isOver: false }
    await app.register(watched(plugin as FastifyPluginAsync, slot, true), { ...options })
    slot.isOver = true
  }
}, { fastify: '5.x', name: 'fastify-media-extensions' })

/** The plugin, with eyes on the app that it is given; all else that Fastify wants to know of it is its own. */
function watched<Plugin extends object> (plugin: Plugin, slot: Slot, isInScope = false): Plugin {
  return new Proxy(plugin, {
    // fastify-plugin sets `default`, and what is there would be taken instead.
    get: (target, key) => isInScope && key === skipOverride ? true : key === 'default' ? undefined : Reflect.get(target, key) as unknown,
    apply (target, self, [app, options, done]: [FastifyInstance, object, (error?: unknown) => void]): unknown {
      try {
        return Reflect.apply(target as unknown as (...values: unknown[]) => unknown, self, [watchedApp(app, slot), options, done])
      } catch (error) {
        return done(error) // Fastify would not hear of what a plugin throws that has a callback
      }
    }
  })
}

/** Two plugins may hold one app: this one tells whose hook it is. What is decorated and set lands in the app. */
function watchedApp (app: FastifyInstance, slot: Slot): FastifyInstance {
  const seen: FastifyInstance = new Proxy(app, {
    get: (target, key, receiver) => key === 'addHook' ? addHook : key === 'register' ? register : Reflect.get(target, key, receiver) as unknown
  })
  function addHook (hook: string, hooked: unknown): FastifyInstance {
    if (!lifeHooks.has(hook)) check(hook, hooked, slot)
    app.addHook(hook as 'onRequest', hooked as () => void)
    return seen
  }
  function register (plugin: unknown, options: object): FastifyInstance {
    app.register(watchedWithin(plugin, slot) as FastifyPluginAsync, options)
    return seen
  }
  return seen
}

/** Plugins of the plugin, in any of the forms that Fastify takes. What is none is Fastify's to refuse. */
function watchedWithin (plugin: unknown, slot: Slot): unknown {
  if (typeof plugin === 'function') return watched(plugin, slot)
  const { then, default: inner } = (plugin ?? {}) as { then?: unknown, default?: unknown }
  if (typeof then === 'function') return (plugin as PromiseLike<unknown>).then(loaded => watchedWithin(loaded, slot))
  return typeof inner === 'function' ? watched(inner, slot) : plugin
}

function check (hook: string, hooked: unknown, { name, at, mount, isOver }: Slot): void {
  const told = `plugin ${name} of mount ${mount} adds the hook ${hook}`
  if (isOver) throw new TypeError(`${told} too late: its turn (${at}) is over once it is registered`)
  if (at === 'onSend' && !endHooks.has(hook)) throw new TypeError(`${told}, but its place is onSend: there it may add only ${[...endHooks].join(', ')}`)
  if (typeof hooked !== 'function') return // Fastify's to refuse
  const printed = hooked.name.replace(/^bound /, '').trim() // as Fastify prints it
  if (reservedNames.has(printed)) throw new TypeError(`${told} by the name ${printed}, which is the server's own: name it otherwise`)
  if (printed === '') Reflect.defineProperty(hooked, 'name', { value: `${name}:${hook}`, configurable: true })
}
