import { originalTag } from '../cache/purge-tags.ts'
import { tagToPurge } from '../purge.ts'
import type { ApiMount, ApiMounts } from './api-mounts.ts'
import type { Alike } from './permissions.ts'

/** What a purge is of. */
export interface PlannedPurge {
  /** As caches know it. */
  readonly tag: string
  /** Each of these would have to be allowed to be deleted. */
  readonly covers: readonly Alike[]
}

/** What stands in front of the path of a tag. */
const [ORIGINAL, PREFIX] = [originalTag(''), 'prefix:']

/**
 * What is to be purged, and whose it is: that of one path; of a directory, which may hold whole mounts; of every
 * mount, where it is not known of which originals there are variants with a tag.
 *
 * @param what the URL of an original or its path, percent-encoded; one that ends in `/`; `*`; any tag
 * @throws {MediaError} `bad-request`, `bad-path`; `not-found` where no mount has it
 */
export function plannedPurge (what: string, mounts: ApiMounts): PlannedPurge {
  const tag = tagToPurge(what)
  if (tag.startsWith(`${ORIGINAL}/`)) return { tag, covers: [mounts.locate(tag.slice(ORIGINAL.length))] }
  if (!tag.startsWith(`${PREFIX}/`)) return { tag, covers: mounts.all.map(wholeOf) }
  const path = tag.slice(PREFIX.length)
  const [within, owner] = [mounts.within(path), mounts.owner(path)]
  // A directory above all mounts is nobody's; one within a mount is that mount's.
  const isWhole = within.length > 0 && (owner === undefined || within.includes(owner))
  return { tag, covers: [...within.map(wholeOf), ...isWhole ? [] : [mounts.locate(path)]] }
}

function wholeOf (mount: ApiMount): Alike {
  return { mount, target: `${mount.prefix}/` }
}
