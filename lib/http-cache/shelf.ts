import { covers } from '../cache/purge-tags.ts'
import { Resource } from './resource.ts'
import type { Normaliser } from './selection.ts'

/** How what is kept is named. */
export interface Naming {
  /** The tag by which a path is purged. */
  tagOf (path: string): string
  /** Changes with each purge that covers a tag. */
  generationOf (tag: string): string
}

/** The URLs of one scope, by path and query. */
export class Shelf {
  /** Tells it from the others. */
  readonly scope: string
  readonly #resources = new Map<string, Resource>()
  readonly #normaliser: Normaliser
  readonly #naming: Naming
  #serials = 0

  constructor (scope: string, normaliser: Normaliser, naming: Naming) {
    this.scope = scope
    this.#normaliser = normaliser
    this.#naming = naming
  }

  get (path: string): Resource | undefined {
    return this.#resources.get(path)
  }

  /** What is known of a path, from now until it is released. */
  hold (path: string): Resource {
    let resource = this.#resources.get(path)
    if (resource === undefined) {
      const tag = this.#naming.tagOf(path)
      this.#resources.set(path, resource = new Resource({ path, tag, generation: this.#naming.generationOf(tag), serial: ++this.#serials }, this.#normaliser))
    }
    resource.users++
    return resource
  }

  release (resource: Resource): void {
    resource.users--
    this.tidy(resource)
  }

  /** Forgets a resource that nothing is kept of. */
  tidy (resource: Resource): void {
    if (resource.users === 0 && resource.entries.size === 0 && this.#resources.get(resource.path) === resource) this.#resources.delete(resource.path)
  }

  /** Takes out what a tag covers. Requests under way end with what they have, and keep nothing. */
  take (tag: string): Resource[] {
    const taken = [...this.#resources.values()].filter(resource => covers(tag, resource.tag))
    for (const resource of taken) this.#remove(resource)
    return taken
  }

  /** Takes out one path. */
  takePath (path: string): Resource | undefined {
    const resource = this.#resources.get(path)
    if (resource !== undefined) this.#remove(resource)
    return resource
  }

  #remove (resource: Resource): void {
    resource.isGone = true
    this.#resources.delete(resource.path)
  }
}
