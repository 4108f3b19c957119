import type { MountConfig } from '../config/schema.ts'
import { pathBelow } from '../paths/request-path.ts'
import type { Sources } from '../sources/registry.ts'
import { factsOf, type FileEvent } from './parts.ts'

/** Whether what was announced before the process ended did happen. */
export async function happened (event: FileEvent, { sources, mount, root }: { readonly sources: Pick<Sources, 'plain'>, readonly mount: MountConfig | undefined, readonly root: string }): Promise<Partial<FileEvent> | undefined> {
  const path = mount === undefined ? undefined : pathBelow(event.path, `${root}${mount.prefix === '/' ? '' : mount.prefix}`)
  if (mount === undefined || path === undefined) return undefined
  const found = await sources.plain(mount).stat(path.key)
  if (event.type === 'file.deleted') return found === undefined ? {} : undefined
  // Whether it was there before is not asked: clocks of stores are coarse, and telling twice harms less than not telling.
  if (found?.kind !== 'file') return undefined
  return event.size === undefined || event.size === found.representation.size ? factsOf(found) : undefined
}
