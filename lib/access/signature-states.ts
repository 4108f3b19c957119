import type { SignedState, Strategy } from './access.ts'

/** How signed URLs go, by the names of strategies; undefined where none are signed. */
export function signatureStates (strategies: ReadonlyMap<string, Strategy>): (() => Record<string, readonly SignedState[]>) | undefined {
  const signed = [...strategies].filter(([, { state }]) => state !== undefined)
  return signed.length === 0 ? undefined : () => Object.fromEntries(signed.map(([name, { state }]) => [name, [state as SignedState]]))
}
