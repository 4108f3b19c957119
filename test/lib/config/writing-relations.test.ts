import t from 'tap'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { resolveConfig } from '../../../lib/config/resolve.ts'
import type { ConfigError } from '../../../lib/config/mistakes.ts'
import { certificate, noOpenssl } from '../../helpers/certificates.ts'
import { scratch, type Test } from '../../helpers/app.ts'

const bucket = { driver: 's3', bucket: 'pictures', endpoint: 'https://s3.example.com' }

/** What is wrong, as sentences. */
async function mistakes (t: Test, config: Record<string, unknown>, files: Record<string, string> = {}): Promise<string[]> {
  const base = await scratch(t, files)
  return await resolveConfig({ sources: { files: { driver: 'file', root: '.' }, ...config.sources as object }, ...Object.fromEntries(Object.entries(config).filter(([key]) => key !== 'sources')) }, { base })
    .then(() => [], (error: ConfigError) => error.message.split('\n').slice(1).map(line => line.trim()))
}

const mount = (more: Record<string, unknown>): Record<string, unknown> => ({ source: 'files', permission: 'read-write', access: { write: 'nobody' }, ...more })

t.test('a source that cannot be written to is not', async t => {
  const sources = { web: { driver: 'http', upstream: 'web' }, two: { driver: 'tree', branches: [{ source: 'web' }] }, some: { driver: 'tree', branches: [{ source: 'web' }, { path: '/a', source: 'files' }] }, pictures: bucket }
  const upstreams = { web: { origins: [{ url: 'http://127.0.0.1:1' }] } }
  const told = async (source: string): Promise<string[]> => await mistakes(t, { sources, upstreams, mounts: [mount({ source })] })
  t.same(await told('web'), ['mounts[0].permission: Expected "read", because a source of driver http cannot be written to'])
  t.same(await told('two'), ['mounts[0].permission: Expected "read", because a source of driver tree cannot be written to'])
  for (const source of ['files', 'some', 'pictures']) t.same(await told(source), [], source)
})

t.test('what is said of writing means something only where there is any', async t => {
  t.same(await mistakes(t, { mounts: [{ source: 'files', writing: { maxBytes: 5 } }] }), ['mounts[0].writing: Expected none, because permission is "read": it is for "read-write"'])
  t.same(await mistakes(t, { mounts: [{ source: 'files', writing: {} }] }), [])
  t.match(await mistakes(t, { upstreams: { web: { origins: [{ url: 'http://127.0.0.1:1' }] } }, mounts: [{ delivery: 'proxy', upstream: 'web', writing: { maxBytes: 5 } }] }), [/^mounts\[0\]\.writing: Expected none, because delivery is "proxy"/])
})

t.test('rules for writing need somebody who may', async t => {
  t.same(await mistakes(t, { mounts: [{ source: 'files', permission: 'read-write', writing: { maxFiles: 5 } }] }), ['mounts[0].access: Expected access, because there are rules for writing: where nothing says who may write, nobody may'])
  t.same(await mistakes(t, { mounts: [{ source: 'files', permission: 'read-write' }] }), [])
})

t.test('what is kept of uploads is shown to nobody', async t => {
  const told = async (directory: string): Promise<string[]> => await mistakes(t, { sources: { below: { driver: 'file', root: 'shown' } }, uploads: { directory } }, { 'shown/a.txt': 'a' })
  for (const directory of ['shown', 'shown/state', './shown/../shown/x']) t.match(await told(directory), [/^uploads\.directory: Expected a directory outside of those that are shown, but it lies below that of the source files$/, /source below$/], directory)
  for (const directory of ['.state', 'shown/.state', 'shown/.a/b', '../elsewhere']) t.same(await told(directory), [], directory)
})

t.test('variants in a bucket are no files of a source', async t => {
  const told = async (prefix: string, other: Record<string, unknown> = {}): Promise<string[]> => await mistakes(t, { sources: { b: { ...bucket, prefix: 'originals/' }, ...other }, images: { cache: { s3: { source: 'b', prefix } } } })
  for (const prefix of ['variants/', '.variants/', 'originals/.variants/']) t.same(await told(prefix), [], prefix)
  for (const prefix of ['originals/', 'originals/variants/', '']) t.match(await told(prefix), [/^images\.cache\.s3\.prefix: Expected a prefix apart from that of the source b/], prefix)
  t.same(await told('.variants/', { all: bucket }), [])
  t.match(await told('variants/', { all: bucket }), [/source all/])
})

t.test('what is made ahead is a preset of the mount', async t => {
  const images = { presets: { thumb: 'w=160' } }
  t.same(await mistakes(t, { mounts: [mount({ images, writing: { makeAhead: ['thumb'] } })] }), [])
  t.same(await mistakes(t, { mounts: [mount({ images, writing: { makeAhead: ['thump'] } })] }), ['mounts[0].writing.makeAhead[0]: Expected the name of a preset in images.presets but received "thump". Did you mean thumb?'])
  t.match(await mistakes(t, { mounts: [mount({ images: { mode: 'off', presets: { thumb: 'w=160' } }, writing: { makeAhead: ['thumb'] } })] }), [/makeAhead: Expected none, because images\.mode is "off"/])
})

t.test('buckets: who signs, by what, and whom they trust', async t => {
  const told = async (source: Record<string, unknown>, files: Record<string, string> = {}): Promise<string[]> => await mistakes(t, { sources: { b: { ...bucket, ...source } } }, files)
  t.same(await told({}), [])
  t.same(await told({ accessKeyId: 'a', secretAccessKey: 'b' }), [])
  t.same(await told({ accessKeyId: 'a', secretAccessKeyFile: 'key' }, { key: 'secret\n' }), [])
  t.match(await told({ accessKeyId: 'a' }), [/^sources\.b\.secretAccessKey: Expected one of secretAccessKey and secretAccessKeyFile/])
  t.match(await told({ accessKeyId: 'a', secretAccessKey: 'b', secretAccessKeyFile: 'key' }, { key: 's' }), [/^sources\.b\.secretAccessKey: Expected one of/])
  t.match(await told({ secretAccessKey: 'b' }), [/^sources\.b\.accessKeyId: Expected who signs/])
  t.match(await told({ sessionToken: 'b' }), [/^sources\.b\.accessKeyId: Expected who signs/])
  t.match(await told({ accessKeyId: 'a', secretAccessKeyFile: 'none' }), [/^sources\.b\.secretAccessKeyFile: Expected a file that can be read but .* does not exist/])
  t.match(await told({ accessKeyId: 'a', secretAccessKeyFile: 'key' }, { key: '\n' }), [/secretAccessKeyFile: Expected a file that holds a secret, but it is empty/])
  t.match(await told({ ca: 'ca.pem' }, { 'ca.pem': 'nothing' }), [/^sources\.b\.ca: Expected a PEM file/])
  t.match(await told({ endpoint: 'http://127.0.0.1:1', ca: 'ca.pem' }, { 'ca.pem': 'nothing' }), [/Expected none, because the endpoint has no URL with https:/, /PEM/])
  t.match(await mistakes(t, { sources: { b: bucket }, images: { cache: { s3: { source: 'c' } } } }), [/^images\.cache\.s3\.source: Expected the name of a source with driver s3 but received "c"/])
  t.same(await mistakes(t, { sources: { b: bucket }, images: { cache: { s3: { source: 'b' } } } }), [])
})

t.test('files are named from the directory of the configuration, and secrets are not to be shown', { skip: noOpenssl ?? false }, async t => {
  const base = await scratch(t, { key: 'a secret\n' })
  await writeFile(join(base, 'ca.pem'), certificate('ca').cert)
  const { config, secrets } = await resolveConfig({
    sources: { b: { ...bucket, accessKeyId: 'a', secretAccessKeyFile: 'key', ca: 'ca.pem' }, c: { ...bucket, accessKeyId: 'a', secretAccessKey: 'a long secret of c', sessionToken: 'a token of c' } },
    events: { webhooks: { hook: { url: 'https://example.com/hook', secret: 'one secret of thirty-two bytes, x\nanother secret of thirty-two byte' } } }
  }, { base })
  t.match(config.sources.b, { secretAccessKeyFile: join(base, 'key'), ca: join(base, 'ca.pem') })
  t.equal(config.uploads.directory, join(base, '.uploads'))
  for (const secret of ['a long secret of c', 'a token of c', 'one secret of thirty-two bytes, x', 'another secret of thirty-two byte']) t.ok(secrets.has(secret), secret)
})
