/** What happens to files, by name. */
export const eventTypes = ['file.created', 'file.replaced', 'file.deleted'] as const
export type EventType = typeof eventTypes[number]
