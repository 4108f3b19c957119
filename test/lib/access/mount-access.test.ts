import t from 'tap'
import { isProtected, mountAccess, mountOrder, signerOf, type MountAccess, type MountOrder } from '../../../lib/access/mount-access.ts'
import { resolveConfig } from '../../../lib/config/resolve.ts'
import type { Config, MountConfig } from '../../../lib/config/schema.ts'

const signed = (mode?: string, secret = 'the walrus keeps 12 secrets of the sea'): object => ({ driver: 'signed', keys: [{ id: 'a', secret }], ...mode === undefined ? {} : { mode } })
const strategies = { here: { driver: 'ip', allow: ['127.0.0.0/8'] }, links: signed(), trial: signed('report-only', 'another walrus keeps 11 secrets too') }

async function configured (mounts: object[], ways: object = strategies): Promise<Readonly<Config>> {
  const { config } = await resolveConfig({
    strategies: ways,
    sources: { files: { driver: 'file', root: '/' } },
    upstreams: { far: { origins: [{ url: 'http://127.0.0.1:1' }] } },
    plugins: { audit: {} },
    mounts: mounts.map(mount => 'delivery' in mount ? { upstream: 'far', ...mount } : { source: 'files', ...mount })
  }, { base: '/' })
  return config
}

const at = (config: Readonly<Config>, prefix: string): MountConfig => config.mounts.find(mount => mount.prefix === prefix) as MountConfig

async function accessOf (mount: object, { root = '', prefix = '/m', ways = strategies }: { root?: string, prefix?: string, ways?: object } = {}): Promise<MountAccess> {
  const config = await configured([{ prefix: '/m', ...mount }], ways)
  return mountAccess(config, at(config, '/m'), { prefix: root + prefix, root })
}

t.test('a mount is protected by rules, or by variants that are made for signed URLs alone', async t => {
  const mounts: Array<[object, boolean]> = [[{}, false], [{ access: {} }, true], [{ access: { read: 'public' } }, true], [{ images: { mode: 'open' } }, false], [{ images: { mode: 'signed', signedBy: 'links' } }, true], [{ delivery: 'proxy' }, false], [{ delivery: 'gateway', access: { write: 'here' } }, true]]
  for (const [mount, told] of mounts) t.equal(isProtected(at(await configured([{ prefix: '/m', ...mount }]), '/m')), told, JSON.stringify(mount))
})

t.test('what the plugin is told of a mount follows from how its bytes are delivered', async t => {
  const told = async (mount: object): Promise<object> => {
    const { isReadOnly, isGateway, passes, coversAll, mount: prefix } = await accessOf(mount)
    return { isReadOnly, isGateway, passes, coversAll, prefix }
  }
  const whole = { coversAll: true, prefix: '/m' }
  t.same(await told({}), { ...whole, isReadOnly: true, isGateway: false, passes: false })
  t.same(await told({ permission: 'read-write' }), { ...whole, isReadOnly: false, isGateway: false, passes: false })
  t.same(await told({ delivery: 'proxy' }), { ...whole, isReadOnly: true, isGateway: false, passes: true })
  t.same(await told({ delivery: 'redirect' }), { ...whole, isReadOnly: true, isGateway: false, passes: true })
  t.same(await told({ delivery: 'gateway' }), { ...whole, isReadOnly: false, isGateway: true, passes: true })
  t.same(await told({ plugins: [{ use: 'audit' }] }), { ...whole, isReadOnly: true, isGateway: false, passes: true }, 'code of others gets no credentials')
})

t.test('signatures for variants are known by the strategy that is named, or by the one that there is', async t => {
  t.equal((await accessOf({ images: { mode: 'signed', signedBy: 'trial' } })).signedBy, 'trial')
  t.equal((await accessOf({ images: { mode: 'signed' } }, { ways: { here: strategies.here, links: signed() } })).signedBy, 'links')
  t.equal((await accessOf({ images: { mode: 'signed' } }, { ways: { here: strategies.here } })).signedBy, undefined, 'then nobody may ask for them')
  for (const mount of [{}, { images: { mode: 'open', signedBy: 'links' } }, { images: { mode: 'off' } }, { delivery: 'proxy' }]) t.equal((await accessOf(mount)).signedBy, undefined, JSON.stringify(mount))
  const config = await configured([{ prefix: '/m' }])
  t.equal(signerOf(config, at(config, '/m')), 'links', 'the first')
})

t.test('a signature is needed for what may ask for a variant', async t => {
  const { mayNeedSignature } = await accessOf({ images: { mode: 'signed', signedBy: 'links' } })
  for (const target of ['/m/a.jpg?w=3', '/m/_ipx/w_3/a.jpg', '/_ipx/w_3/m/a.jpg']) t.ok(mayNeedSignature(target), target)
  for (const target of ['/m/a.jpg', '/m/', '/m/ipx/a.jpg']) t.notOk(mayNeedSignature(target), target)
})

t.test('rules are about the path of the file, where images are made of it also by the URLs of IPX', async t => {
  const ipx = { images: { mode: 'open', grammars: ['ipx'] } }
  for (const root of ['', '/host']) {
    const { pathOf } = await accessOf(ipx, { root })
    for (const target of ['/m/c%61t.jpg?w=3', '/m/_ipx/w_3/cat.jpg', '/_ipx/w_3/m/cat.jpg']) t.equal(pathOf(root + target), `${root}/m/cat.jpg`, root + target)
    const { pathOf: elsewhere } = await accessOf(ipx, { root, prefix: '/_ipx/:modifiers/m' })
    t.equal(elsewhere(`${root}/_ipx/w_3/m/cat.jpg`), `${root}/m/cat.jpg`, 'in its other place too')
    for (const mount of [{ images: { mode: 'off' } }, { images: { mode: 'open', grammars: ['query'] } }, { delivery: 'proxy' }]) {
      const { pathOf: plain } = await accessOf(mount, { root })
      t.equal(plain(`${root}/m/_ipx/w_3/cat.jpg`), `${root}/m/_ipx/w_3/cat.jpg`, JSON.stringify(mount))
    }
    t.throws(() => pathOf(`${root}/m/%2e%2e/x`), { code: 'bad-path' })
  }
})

t.test('protected mounts below another are none of its paths, and those beside it are not its business', async t => {
  const config = await configured([{ prefix: '/' }, { prefix: '/a', access: { read: 'here' } }, { prefix: '/a/b', images: { mode: 'signed', signedBy: 'links' } }, { prefix: '/a/open' }, { prefix: '/ab', access: { read: 'here' } }, { prefix: '/a/b/c', access: {} }])
  const others = (prefix: string, root = ''): readonly string[] => mountAccess(config, at(config, prefix), { prefix: root + (prefix === '/' ? '' : prefix), root }).others
  t.same(others('/'), ['/a', '/a/b', '/ab', '/a/b/c'])
  t.same(others('/a', '/host'), ['/host/a/b', '/host/a/b/c'])
  t.same(others('/a/b'), ['/a/b/c'])
  for (const prefix of ['/ab', '/a/b/c', '/a/open']) t.same(others(prefix), [], prefix)
})

t.test('the order of hooks is checked where there are rules, with the places and exceptions of the host', async t => {
  const config = await configured([{ prefix: '/open', images: { mode: 'off' } }, { prefix: '/pictures', images: { mode: 'open', grammars: ['ipx'] } }, { prefix: '/a', delivery: 'gateway', access: { read: 'public', write: ['here'], methods: { GET: 'here', HEAD: 'public' }, except: ['/a/login'] } }])
  t.equal(mountOrder(config, at(config, '/open'), '/host'), undefined)
  const { isPublic, ...order } = mountOrder(config, at(config, '/a'), '/host') as MountOrder
  t.same(order, { mount: '/a', others: ['/host/open', '/host/pictures', '/host/_ipx/:modifiers/pictures'], except: ['/host/a/login'] })
  t.same(['GET', 'HEAD', 'OPTIONS', 'POST', 'DELETE'].map(isPublic), [false, true, true, false, false])
  const none = await configured([{ prefix: '/a', access: {} }])
  const { isPublic: isOpen } = mountOrder(none, at(none, '/a'), '') as MountOrder
  t.same(['GET', 'POST'].map(isOpen), [true, false])
})
