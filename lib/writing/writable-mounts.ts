import type { MountConfig } from '../config/schema.ts'

/** Whether clients may write to a mount: where nothing says who may, nobody does. */
export function isWritable ({ delivery, permission, access }: Pick<MountConfig, 'delivery' | 'permission' | 'access'>): boolean {
  return delivery === 'serve' && permission === 'read-write' && access !== undefined
}
