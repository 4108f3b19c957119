import type { IncomingMessage } from 'node:http'
import type { Config, MountConfig } from '../config/schema.ts'
import { originalPath, placesOf, prefixAt } from '../image/places.ts'
import { mayAskForVariant } from '../image/reading.ts'
import { decodePath } from '../paths/request-path.ts'
import { isResumable } from '../writing/resumable/protocol.ts'
import { isWritable } from '../writing/writable-mounts.ts'
import { requirementFor } from './requirement.ts'

/** What the plugin `auth` is registered with in a mount's scope. */
export interface MountAccess {
  readonly access: MountConfig['access']
  readonly mount: string
  readonly isReadOnly: boolean
  readonly isGateway: boolean
  readonly passes: boolean
  readonly coversAll: boolean
  readonly pathOf: (target: string, method?: string) => string
  readonly others: readonly string[]
  readonly judgedAs?: ((request: IncomingMessage) => string | undefined) | undefined
  readonly signedBy: string | undefined
  readonly mayNeedSignature: (target: string) => boolean
}

/** Whether there is anything about a mount that not everybody may do. */
export function isProtected ({ access, images, delivery }: MountConfig): boolean {
  return access !== undefined || (delivery === 'serve' && images.mode === 'signed')
}

/**
 * Who may do what with a mount.
 *
 * @param prefix that of one of its places, with those of the app and its host
 * @param root that of the app
 */
export function mountAccess (config: Readonly<Config>, mount: MountConfig, { prefix, root }: { prefix: string, root: string }): MountAccess {
  const { access, delivery, images, permission, plugins } = mount
  const within = mount.prefix === '/' ? '/' : `${mount.prefix}/`
  const place = { prefix: prefixAt(prefix), root }
  const readsIpx = delivery === 'serve' && images.mode !== 'off' && images.grammars.includes('ipx')
  const pathOf = (target: string): string => decodePath(readsIpx ? originalPath(target, place) : target)
  return {
    access,
    mount: mount.prefix,
    isReadOnly: delivery !== 'gateway' && permission === 'read',
    isGateway: delivery === 'gateway',
    passes: delivery !== 'serve' || plugins.length > 0,
    coversAll: true,
    pathOf: isWritable(mount) ? (target, method) => method === 'POST' ? asDirectory(pathOf(target)) : pathOf(target) : pathOf,
    others: config.mounts.filter(other => other !== mount && isProtected(other) && other.prefix.startsWith(within)).map(other => root + other.prefix),
    judgedAs: isWritable(mount) && prefix === place.prefix ? asResumed : undefined,
    signedBy: delivery === 'serve' && images.mode === 'signed' ? signerOf(config, mount) : undefined,
    mayNeedSignature: mayAskForVariant
  }
}

/** What is posted goes below the path: who may write one file may not write others below its name. */
function asDirectory (path: string): string {
  return path.endsWith('/') ? path : `${path}/`
}

/** Whoever asks how far a resumable upload is has to be known as who began it: that reads no file. */
function asResumed (request: IncomingMessage): string | undefined {
  return request.method === 'HEAD' && isResumable(request) ? 'PATCH' : undefined
}

/** What the plugin `order` is registered with. */
export interface MountOrder {
  readonly mount: string
  readonly others: readonly string[]
  readonly except: readonly string[]
  readonly isPublic: (method: string) => boolean
}

/**
 * What is checked of the order of a mount's hooks before the first request.
 *
 * @param root the prefix of the app within its host
 */
export function mountOrder ({ mounts }: Readonly<Config>, { access, prefix }: MountConfig, root: string): MountOrder | undefined {
  if (access === undefined) return undefined
  const { except } = access
  return {
    mount: prefix,
    others: placesOf(mounts.filter(other => other.prefix !== prefix)).map(place => root + place.prefix),
    except: except.map(path => root + path),
    isPublic: method => requirementFor(access, method) === 'public'
  }
}

/** The strategy whose signatures variants need: without any, nobody may ask for them. */
export function signerOf ({ strategies }: Readonly<Config>, { images: { signedBy } }: MountConfig): string | undefined {
  return signedBy ?? Object.keys(strategies).find(name => strategies[name]?.driver === 'signed')
}
