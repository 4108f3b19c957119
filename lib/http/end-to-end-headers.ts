/** Fields that are about one connection (RFC 9110 §7.6.1), and those that older software sends as if they were not. */
const hopByHop = new Set(['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authentication-info', 'proxy-authorization', 'te', 'transfer-encoding', 'upgrade', 'http2-settings'])

/** What `Connection` may not name, since without it the message would be another. */
const unnameable = new Set(['host', 'content-length', 'content-type', 'content-encoding', 'content-range', 'cache-control'])

/** Whether a field belongs to one connection, whatever `Connection` says. */
export function isHopByHop (name: string): boolean {
  return hopByHop.has(name)
}

/**
 * The fields that go on to the next hop: without those of the connection and those that
 * `Connection` names. `trailer` stays: trailer fields are passed on.
 *
 * @param fields by lower-case name; left as it is
 */
export function endToEnd (fields: Readonly<Record<string, string | string[] | undefined>>): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {}
  const nominated = nominatedBy(fields.connection)
  for (const name in fields) {
    const value = fields[name]
    if (value !== undefined && !hopByHop.has(name) && nominated?.has(name) !== true) kept[name] = value
  }
  return kept
}

/** Fields that `Connection` names, where it names any beside its own options. */
export function nominatedBy (connection: string | string[] | undefined): ReadonlySet<string> | undefined {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return undefined
  const names = new Set<string>()
  for (const item of String(connection).toLowerCase().split(',')) {
    const name = item.trim()
    if (name !== '' && !unnameable.has(name)) names.add(name)
  }
  return names
}
