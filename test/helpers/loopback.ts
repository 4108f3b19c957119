import { once } from 'node:events'
import { createServer, type AddressInfo, type Server } from 'node:net'
import type { Test } from './app.ts'

/** Spellings of hosts that lead to this machine, by URL, by resolver or by what is between them. */
export const loopbackSpellings: readonly string[] = [
  '127.0.0.1', '127.0.0.1.', '127.1', '127.0.1', '127.00.00.01', '0177.0.0.1', '0177.0.0.01', '017700000001', '0x7f.0.0.1', '0x7f.1', '0x7F000001', '0x7f000001.', '2130706433', '0', '0.0.0.0', '00', '0x0', '000000000000',
  '127.127.127.127', '127.255.255.254', '①②⑦.⓪.⓪.①', '１２７.０.０.１', '127。0。0。1', '127．0．0．1', '127｡0｡0｡1', '%31%32%37.0.0.1', '127%2e0%2e0%2e1', '0x7f%2e1',
  'localhost', 'LocalHost', 'localhost.', 'ｌｏｃａｌｈｏｓｔ', 'ⓛⓞⓒⓐⓛⓗⓞⓢⓣ', 'local\u00adhost', 'a.localhost', 'ip6-localhost', 'localtest.example', '127.0.0.1.nip.example', 'xn--bcher-kva.example',
  '[::1]', '[0:0:0:0:0:0:0:1]', '[0000::0001]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[0:0:0:0:0:ffff:127.0.0.1]', '[::FFFF:7F00:0001]', '[::127.0.0.1]', '[::7f00:1]', '[::ffff:0:127.0.0.1]', '[64:ff9b::127.0.0.1]', '[64:ff9b:1::127.0.0.1]', '[2002:7f00:1::]', '[2001:0:7f00:1::]', '[2001::80ff:fffe]', '[fe80::5efe:127.0.0.1]', '[2606:4700::5efe:7f00:1]',
  'user@127.0.0.1', 'user:secret@127.0.0.1', 'img.example@127.0.0.1', 'img.example%40@127.0.0.1'
]

/** A server on all that is loopback here, of which nobody may know. */
export async function inside (t: Test): Promise<{ port: number, readonly connected: number, hasIpv6: boolean }> {
  let connected = 0
  const listen = async (host: string, port: number): Promise<Server> => {
    const server = createServer(socket => {
      connected++
      socket.on('error', () => {})
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret')
    })
    server.listen(port, host)
    await once(server, 'listening')
    t.teardown(() => server.close())
    return server
  }
  const { port } = (await listen('127.0.0.1', 0)).address() as AddressInfo
  const hasIpv6 = await listen('::1', port).then(() => true, () => false)
  return { port, get connected () { return connected }, hasIpv6 }
}
