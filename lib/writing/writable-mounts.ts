import type { MountConfig } from '../config/schema.ts'

/** Whether clients may write to a mount. */
export function isWritable ({ delivery, permission }: Pick<MountConfig, 'delivery' | 'permission'>): boolean {
  return delivery === 'serve' && permission === 'read-write'
}
