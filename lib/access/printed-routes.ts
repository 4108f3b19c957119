/** Routes of one URL that run the same hooks, as Fastify prints them. */
export interface PrintedRoute {
  /** With the prefixes of all scopes around it. Several names of one parameter stand as `:id|:name`. */
  readonly url: string
  readonly methods: readonly string[]
  /** Names by the hooks' kind, in the order in which they run; a nameless one is `anonymous`. */
  readonly hooks: Readonly<Record<string, readonly string[]>>
}

const branch = /^((?:│ {3}| {4})*)(?:├── |└── )(.*)$/
const routeWords = /^(.*?) \(([A-Z-]+(?:, [A-Z-]+)*)\)(?: \{.*\})?$/
const hookWords = /^[│ ]*• \((\w+)\) (\[.*\])$/

/** How many characters one level is set in. */
const INDENTATION = 4

/** What stands for a node without a text of its own. */
const EMPTY_ROOT = '(empty root node)'

/**
 * Reads the tree that `app.printRoutes({ includeHooks: true })` prints, with common prefixes: without them
 * (`commonPrefix: false`) Fastify leaves out what stands before a wildcard, and of two wildcards one.
 * Parameters and literal colons (`::`) look alike: of two routes that differ in that alone, one is printed.
 */
export function printedRoutes (text: string): PrintedRoute[] {
  const routes: Array<PrintedRoute & { hooks: Record<string, string[]> }> = []
  const nodes: string[] = []
  for (const line of text.split('\n')) {
    const hook = hookWords.exec(line)
    if (hook !== null) {
      const [, kind = '', names = ''] = hook
      const route = routes.at(-1)
      if (route !== undefined) route.hooks[kind] = (JSON.parse(names) as string[]).map(name => name.replace(/\(\)$/, ''))
      continue
    }
    const [, indentation = '', node] = branch.exec(line) ?? []
    // The same node's routes that run other hooks follow it, set in by one level and without a branch.
    const words = node ?? line.slice(nodes.length * INDENTATION)
    if (node !== undefined) nodes.length = indentation.length / INDENTATION
    const [, key = words, methods] = routeWords.exec(words) ?? []
    if (node !== undefined) nodes.push(key === EMPTY_ROOT ? '' : key)
    if (methods !== undefined) routes.push({ url: nodes.join(''), methods: methods.split(', '), hooks: {} })
  }
  return routes
}
