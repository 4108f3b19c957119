const REDACTED = '[redacted]'

/** A value as it may be shown: without secrets, and without the credentials in URLs. */
export function redact (value: unknown, secrets: ReadonlySet<string>): unknown {
  if (typeof value === 'string') return redactText(value, secrets)
  if (Array.isArray(value)) return value.map(item => redact(item, secrets))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redact(item, secrets)]))
}

function redactText (text: string, secrets: ReadonlySet<string>): string {
  for (const secret of secrets) {
    if (text.includes(secret)) return REDACTED
  }
  return text.replaceAll(/\b([a-z][a-z0-9+.-]*:\/\/)[^/@\s]+@/gi, `$1${REDACTED}@`)
}

/** A sentence in which secrets do not stand. */
export function redactWithin (sentence: string, secrets: ReadonlySet<string>): string {
  return [...secrets].reduce((text, secret) => text.replaceAll(secret, REDACTED), sentence)
}
