/** Throws where a URL is none that an origin may have, or clients are sent to. */
export function refuseBadOrigin (text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) throw new TypeError('Expected a URL such as http://10.0.0.5:8080/assets')
  if (url.username !== '' || url.password !== '') throw new TypeError('Expected a URL without user and password: send such as a header, by a hook')
  if (/(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i.test(text.replace(/^[a-z]+:\/\/[^/]*/i, ''))) throw new TypeError('Expected a URL without dot segments')
}
