import { covers, EVERYTHING } from './purge-tags.ts'
import { parseRecord } from './record.ts'
import type { S3Layout } from './s3-layout.ts'
import { bytesIn, type S3Link } from './s3-link.ts'
import type { VariantKey } from './store.ts'

/** Milliseconds for one request. */
const REQUEST_MS = 10_000

/** Requests that are under way at once. */
const BATCH = 16

/** Bytes of a variant that are read for its tags at first; they may take more. */
const HEADER_BYTES = 4096

/** Milliseconds between two tries of a purge that could not be carried out, and the most of them: at more, everything is purged. */
const RETRY_MS = 1000
const MAX_OWED = 1000

/**
 * Removes variants from a bucket. A purge that the store did not let us carry out is owed: nothing
 * that it covers is given by this instance, and it is tried again until it is done.
 */
export class S3Removal {
  readonly #link: S3Link
  readonly #layout: S3Layout
  readonly #owed = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #trying: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor (link: S3Link, layout: S3Layout) {
    this.#link = link
    this.#layout = layout
  }

  /** Whether something that has these tags should be gone already. */
  isOwed (tags: readonly string[]): boolean {
    if (this.#owed.size === 0) return false
    return [...this.#owed].some(owed => owed === EVERYTHING || tags.some(tag => covers(owed, tag)))
  }

  /** Removes what a tag covers. @returns how many variants there were; undefined where not all of them could be removed yet */
  async purge (tag: string): Promise<number | undefined> {
    const found = tag === EVERYTHING ? await this.#purgeAll() : await this.#purgeTag(tag)
    if (found !== undefined) return found
    if (this.#owed.size >= MAX_OWED) {
      this.#owed.clear()
      this.#owed.add(EVERYTHING)
    } else this.#owed.add(tag)
    this.#tryLater()
    return undefined
  }

  /** Removes a variant, and what leads to it. @returns whether that was possible */
  async remove (key: VariantKey, tags: readonly string[]): Promise<boolean> {
    const names = [this.#layout.variant(key), ...tags.map(tag => this.#layout.index(tag, key))]
    return (await Promise.all(names.map(async name => await this.#delete(name)))).every(Boolean)
  }

  /** Tries no more; settles when nothing is under way. */
  async close (): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#trying
  }

  #tryLater (): void {
    clearTimeout(this.#timer)
    if (!this.#closed) this.#timer = setTimeout(() => { this.#trying = this.#tryAgain() }, RETRY_MS).unref()
  }

  async #tryAgain (): Promise<void> {
    for (const tag of this.#owed) {
      if (this.#closed || await this.purge(tag) === undefined) return
      this.#owed.delete(tag)
    }
  }

  async #purgeAll (): Promise<number | undefined> {
    let found = 0
    for (const root of this.#layout.roots) {
      const count = await this.#each(root, async name => await this.#delete(name) ? 1 : undefined)
      if (count === undefined) return undefined
      if (root === this.#layout.roots[0]) found = count
    }
    return found
  }

  async #purgeTag (tag: string): Promise<number | undefined> {
    let found = 0
    for (const place of this.#layout.places(tag)) {
      const count = await this.#each(place, async (name, key) => await this.#purgeOne(tag, name, key))
      if (count === undefined) return undefined
      found += count
    }
    return found
  }

  /** Removes what an object leads to, if the tag covers it; the object itself where it leads nowhere. */
  async #purgeOne (tag: string, index: string, key: VariantKey): Promise<number | undefined> {
    const tags = await this.#tagsOf(key)
    if (tags === undefined) return undefined
    if (tags === 'none') return await this.remove(key, []) && await this.#delete(index) ? 0 : undefined
    if (!tags.some(own => covers(tag, own))) return 0
    return await this.remove(key, tags) ? 1 : undefined
  }

  /** Does something with every object of ours below a place. @returns the sum of what it gives; undefined once it gives that */
  async #each (place: string, action: (name: string, key: VariantKey) => Promise<number | undefined>): Promise<number | undefined> {
    let sum = 0
    let from: string | undefined
    do {
      const page = await this.#link.run(async (client, signal) => await client.list({ prefix: place, from, signal }), REQUEST_MS)
      if (page === undefined) return undefined
      const ours = page.objects.flatMap(({ name }) => { const key = this.#layout.keyIn(name); return key === undefined ? [] : [{ name, key }] })
      for (let n = 0; n < ours.length; n += BATCH) {
        const counts = await Promise.all(ours.slice(n, n + BATCH).map(async ({ name, key }) => await action(name, key)))
        for (const count of counts) {
          if (count === undefined) return undefined
          sum += count
        }
      }
      from = page.next
    } while (from !== undefined)
    return sum
  }

  /** `none` where there is no variant, or what lies in its place is none. */
  async #tagsOf (key: VariantKey, bytes = HEADER_BYTES): Promise<readonly string[] | 'none' | undefined> {
    const header = await this.#link.run(async (client, signal) => {
      const found = await client.get(this.#layout.variant(key), { range: { start: 0, end: bytes - 1 }, signal })
      return found === undefined ? 'none' : parseRecord(await bytesIn(found.body, signal), key) ?? 'none'
    }, REQUEST_MS)
    if (typeof header === 'number') return header > bytes ? await this.#tagsOf(key, header) : 'none'
    return typeof header === 'object' ? header.facts.tags : header
  }

  async #delete (name: string): Promise<boolean> {
    return await this.#link.run(async (client, signal) => { await client.delete(name, { signal }); return true }, REQUEST_MS) ?? false
  }
}
