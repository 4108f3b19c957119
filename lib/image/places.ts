import type { MountConfig } from '../config/schema.ts'
import { rawPath } from '../paths/request-path.ts'

/** The segment where URLs of the grammar `ipx` begin. */
export const IPX_SEGMENT = '_ipx'

/** Stands before a mount's own prefix where IPX looks for it from the root: `/_ipx/w_320/photos/cat.jpg`. */
const IPX_PLACE = `/${IPX_SEGMENT}/:modifiers`

/** Where a mount's URLs begin. */
export interface Place<M> {
  readonly mount: M
  /** For a route: it may hold a parameter. `''` at the root. */
  readonly prefix: string
}

/** Every place of every mount: its prefix and, where IPX URLs are read, the same below IPX's. */
export function placesOf<M extends Pick<MountConfig, 'prefix' | 'images' | 'delivery'>> (mounts: readonly M[]): Array<Place<M>> {
  return mounts.flatMap(mount => {
    const prefix = mount.prefix === '/' ? '' : mount.prefix
    const readsIpx = mount.delivery === 'serve' && mount.images.mode !== 'off' && mount.images.grammars.includes('ipx')
    return prefix !== '' && readsIpx ? [{ mount, prefix }, { mount, prefix: IPX_PLACE + prefix }] : [{ mount, prefix }]
  })
}

/**
 * The path of the original that a request target asks for, as it was sent: without what IPX puts in front of it.
 *
 * @param prefix that of the mount, as clients see it
 * @param root that of the app
 */
export function originalPath (target: string, { prefix, root }: { prefix: string, root: string }): string {
  const raw = rawPath(target)
  for (const base of [prefix, root]) {
    const start = `${base}/${IPX_SEGMENT}/`
    const end = raw.startsWith(start) ? raw.indexOf('/', start.length) : -1
    if (end !== -1) return base + raw.slice(end)
  }
  return raw
}

/** The prefix by which clients know a mount, of that of one of its places. */
export function prefixAt (place: string): string {
  return place.replace(IPX_PLACE, '')
}
