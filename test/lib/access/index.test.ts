import t from 'tap'
import { checkedStrategies, keyHash, openRateCounter, secretMistake, signTarget } from '../../../lib/access/index.ts'
import { ConfigError } from '../../../lib/config/mistakes.ts'
import { scratch } from '../../helpers/app.ts'

const hash = keyHash('fm_a-key-for-tests-only-0123456789')

t.test('strategies have their defaults, and files are found from the base', async t => {
  const base = await scratch(t, { 'signing.key': 'q8#kP2!vR9mX4$tL7wZ1cN6bH3jF5dS0\n' })
  t.match(await checkedStrategies({
    links: { driver: 'signed', keys: [{ id: 'a', secretFile: 'signing.key' }] },
    machines: { driver: 'apiKey', keys: [{ name: 'build', hash, mounts: ['/private/'] }] }
  }, { base, mounts: ['/private', '/'] }), {
    links: { mode: 'enforce', requireExpiry: true, keys: [{ secretFile: `${base}/signing.key`, revoked: false }] },
    machines: { header: 'X-API-Key', keys: [{ mounts: ['/private'], methods: ['GET', 'HEAD'] }] }
  })
})

t.test('every mistake is told at once, and none of a secret', async t => {
  const base = await scratch(t)
  const refused = await checkedStrategies({
    links: { driver: 'signed', keys: [{ id: 'a', secret: 'a walrus too short' }] },
    machines: { driver: 'apiKey', keys: [{ name: 'build', hash, mounts: ['/private'] }] }
  }, { base }).catch((error: unknown) => error)
  t.ok(refused instanceof ConfigError)
  const { message } = refused as ConfigError
  t.match(message, /^2 mistakes/)
  t.match(message, /strategies\.links\.keys\[0\]\.secret: .* 18 bytes, fewer than 32/)
  t.match(message, /strategies\.machines\.keys\[0\]\.mounts\[0\]: Expected the prefix of a mount but received \/private/)
  t.notMatch(message, /walrus/)
})

t.test('what apps need beside the plugins is here', t => {
  for (const each of [openRateCounter, secretMistake, signTarget]) t.type(each, 'function')
  t.end()
})
