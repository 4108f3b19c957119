import type { Hold, Limits, Refusal, Sum } from './quota-ledger.ts'

/** What a counter says of room that is asked for: undefined where it is set aside now. */
export type Taken = Refusal | 'uncounted' | undefined

/** Where it is counted what is kept. Each change is whole, and once for all who count here. */
export interface QuotaCounter {
  /**
   * Sets room aside, or more of it under the same id: `uncounted` where it is not known yet what was there before.
   *
   * @throws {MediaError} `unavailable`, `insufficient-storage`
   */
  take (hold: Hold, limits: Limits): Promise<Taken>
  /** The room became a file. Never throws. */
  settle (hold: Hold, key: string, bytes: number): Promise<void>
  /** The room is not needed. Never throws. */
  release (hold: Hold): Promise<void>
  /** Never throws. */
  removed (mount: string, key: string): Promise<void>
  /** Never throws. */
  moved (mount: string, from: string, to: string): Promise<void>
  /** Files that were there before anything was counted. @returns false where all are known already @throws {MediaError} */
  found (mount: string, files: ReadonlyArray<readonly [key: string, bytes: number]>): Promise<boolean>
  /** All of them are known. @throws {MediaError} */
  counted (mount: string): Promise<void>
  /** @throws {MediaError} `unavailable` */
  isCounted (mount: string): Promise<boolean>
  /** What is kept; what is set aside is not. @throws {MediaError} `unavailable` */
  usage (mount: string, principal?: string): Promise<Sum>
  close (): Promise<void>
}
