/** The part of a pino logger that is used for a request. */
export interface Log {
  child (bindings: object, options?: object): Log
  level?: string | undefined
  fatal: LogFunction
  error: LogFunction
  warn: LogFunction
  info: LogFunction
  debug: LogFunction
  trace: LogFunction
  silent: LogFunction
}

type LogFunction = (...values: never[]) => void

/**
 * A child logger that comes into being with its first line. Most requests write none but the
 * one of the server's own log, and making a child is a tenth of what a hot file costs.
 */
export class LazyLog implements Log {
  readonly #parent: Log
  readonly #bindings: object
  readonly #options: object | undefined
  #made: Log | undefined

  constructor (parent: Log, bindings: object, options?: object) {
    this.#parent = parent
    this.#bindings = bindings
    this.#options = options
  }

  get #child (): Log {
    return this.#made ??= this.#parent.child(this.#bindings, this.#options)
  }

  get level (): string | undefined { return this.#child.level }
  set level (level: string | undefined) { if (level !== undefined) this.#child.level = level }

  child (bindings: object, options?: object): Log { return this.#child.child(bindings, options) }
  fatal (...values: never[]): void { this.#child.fatal(...values) }
  error (...values: never[]): void { this.#child.error(...values) }
  warn (...values: never[]): void { this.#child.warn(...values) }
  info (...values: never[]): void { this.#child.info(...values) }
  debug (...values: never[]): void { this.#child.debug(...values) }
  trace (...values: never[]): void { this.#child.trace(...values) }
  silent (...values: never[]): void { this.#child.silent(...values) }
}
