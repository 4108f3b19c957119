/** How much may be kept; undefined is no bound. */
export interface Limit {
  readonly bytes?: number | undefined
  readonly files?: number | undefined
}

/** How much may be kept of a mount, and of what each principal has written to it. */
export interface Limits {
  readonly mount?: Limit | undefined
  readonly principal?: Limit | undefined
}

/** How much there is. */
export interface Sum { bytes: number, files: number }

/** Room that is set aside. Where its key is known it is for what replaces that, if anything is there. */
export interface Hold {
  readonly id: string
  readonly mount: string
  readonly key: string | undefined
  readonly bytes: number
  readonly principal: string
}

/** Which limit there is no room below. */
export interface Refusal {
  readonly of: 'mount' | 'principal'
  readonly what: 'bytes' | 'files'
}

/** A file that is counted. Nobody in particular owns what was there before it was counted. */
interface CountedFile { readonly bytes: number, readonly owner: string | undefined }

/**
 * What is kept of one mount, and what is set aside. A key counts as much as the largest of what it names and of
 * what may come to be there: one of them will be. So whoever replaces a file needs room for what is more of it, and
 * room that is given back by what is removed meanwhile is not given away twice. Only a move takes a file from under
 * somebody who replaces it: then both count, and may be more than the limit.
 */
export class MountLedger {
  readonly files = new Map<string, CountedFile>()
  readonly holds = new Map<string, Hold>()
  /** Whether all that was there before is in `files`. */
  isCounted = false
  /** What was removed while that was not so yet. */
  readonly #gone = new Set<string>()
  readonly #sum: Sum = { bytes: 0, files: 0 }
  readonly #owners = new Map<string, Sum>()

  /** What is kept, altogether or of one principal. */
  usage (owner?: string): Sum {
    return { ...(owner === undefined ? this.#sum : this.#owners.get(owner) ?? { bytes: 0, files: 0 }) }
  }

  /** Sets room aside, or more of it. @returns where there is none; then all is as before */
  take (hold: Hold, limits: Limits): Refusal | undefined {
    const others = [...this.holds.values()].filter(({ id }) => id !== hold.id)
    for (const side of whose) {
      const owner = side === 'mount' ? undefined : hold.principal
      const [before, after, kept] = [this.#needed([...this.holds.values()], owner), this.#needed([...others, hold], owner), this.usage(owner)]
      for (const what of ['bytes', 'files'] as const) {
        // Who has too much already may still replace it by less.
        if (after[what] > before[what] && kept[what] + after[what] > (limits[side]?.[what] ?? Infinity)) return { of: side, what }
      }
    }
    this.holds.set(hold.id, hold)
    return undefined
  }

  /** A key names a file of so many bytes. */
  put (key: string, file: CountedFile): void {
    this.remove(key)
    this.#gone.delete(key)
    this.files.set(key, file)
    this.#add(file, 1)
  }

  /** A key names what was there before anything was counted. */
  found (key: string, bytes: number): void {
    if (!this.isCounted && !this.files.has(key) && !this.#gone.has(key)) this.put(key, { bytes, owner: undefined })
  }

  counted (): void {
    this.isCounted = true
    this.#gone.clear()
  }

  remove (key: string): void {
    if (!this.isCounted) this.#gone.add(key)
    const file = this.files.get(key)
    if (file === undefined) return
    this.files.delete(key)
    this.#add(file, -1)
  }

  move (from: string, to: string): void {
    const file = this.files.get(from)
    this.remove(from)
    if (file !== undefined) this.put(to, file)
  }

  #add ({ bytes, owner }: CountedFile, sign: 1 | -1): void {
    this.#sum.bytes += sign * bytes
    this.#sum.files += sign
    if (owner === undefined) return
    const sum = this.#owners.get(owner) ?? { bytes: 0, files: 0 }
    sum.bytes += sign * bytes
    sum.files += sign
    if (sum.files === 0) this.#owners.delete(owner)
    else this.#owners.set(owner, sum)
  }

  /** What is needed for all that is set aside, beyond what is kept. */
  #needed (holds: readonly Hold[], owner: string | undefined): Sum {
    const largest = new Map<string, number>()
    for (const { id, key = `\0${id}`, bytes, principal } of holds) {
      if (owner === undefined || principal === owner) largest.set(key, Math.max(largest.get(key) ?? 0, bytes))
    }
    const needed = { bytes: 0, files: 0 }
    for (const [key, bytes] of largest) {
      const file = this.files.get(key)
      const isReplaced = file !== undefined && (owner === undefined || file.owner === owner)
      needed.bytes += Math.max(0, bytes - (isReplaced ? file.bytes : 0))
      needed.files += isReplaced ? 0 : 1
    }
    return needed
  }
}

const whose = ['mount', 'principal'] as const
