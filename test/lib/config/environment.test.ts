import t from 'tap'
import { interpolate, valueOf, variables, withEnvironment } from '../../../lib/config/environment.ts'

t.test('every scalar of the schema that a variable sets is known by its name', t => {
  const names = variables().map(({ name, keys }) => `${name} ${keys.join('.')}`)
  t.strictSame(names, ['HOST server.host', 'PORT server.port', 'PUBLIC_URL publicUrl', 'TRUSTED_PROXIES trustedProxies', 'LOG_LEVEL log.level', 'LOG_FILE log.file', 'LOG_REQUESTS log.requests', 'SERVER_TIMING log.serverTiming', 'IMAGE_WORKERS images.workers', 'IMAGE_CACHE images.cache.directory', 'IMAGE_CACHE_REDIS images.cache.redis', 'HTTP_CACHE httpCache.directory', 'UPLOADS_DIRECTORY uploads.directory', 'UPLOADS_REDIS uploads.redis', 'RATE_LIMIT_REDIS rateLimits.redis'])
  for (const { name, description } of variables()) t.not(description, '', name)
  t.end()
})

t.test('variables take the place of what was written, by the types of the schema', t => {
  const input = Object.freeze({ server: Object.freeze({ port: 1, host: 'a' }) })
  const { value, sources } = withEnvironment(input, { PORT: '8080', HOST: '', LOG_REQUESTS: 'FALSE', TRUSTED_PROXIES: '10.0.0.0/8, ::1,', LOG_LEVEL: 'debug' })
  t.strictSame(value, { server: { port: 8080, host: 'a' }, trustedProxies: ['10.0.0.0/8', '::1'], log: { level: 'debug', requests: false } })
  t.strictSame([...sources], [['server.port', 'PORT'], ['trustedProxies', 'TRUSTED_PROXIES'], ['log.level', 'LOG_LEVEL'], ['log.requests', 'LOG_REQUESTS']])
  t.strictSame(input, { server: { port: 1, host: 'a' } })
  t.end()
})

t.test('a text that is no number or flag stays, for the check to name', t => {
  t.equal(valueOf('http', 'integer'), 'http')
  t.equal(valueOf('1e3', 'integer'), '1e3')
  t.equal(valueOf('-1', 'integer'), -1)
  t.equal(valueOf('yes', 'boolean'), 'yes')
  t.equal(valueOf('True', 'boolean'), true)
  t.equal(valueOf('5', 'string'), '5')
  t.end()
})

t.test('a section that is no object is left for the check to name', t => {
  t.strictSame(withEnvironment({ server: 'x' }, { PORT: '1' }).value, { server: 'x' })
  t.strictSame(withEnvironment({ server: null }, { PORT: '1' }).value, { server: null })
  t.strictSame(withEnvironment({ server: [] }, { PORT: '1' }).value, { server: [] })
  for (const input of [null, [], 'text', 5]) t.equal(withEnvironment(input, { PORT: '1' }).value, input)
  t.end()
})

t.test('${NAME} stands for a variable anywhere in a text, $${ for itself', t => {
  const { value, mistakes, sources } = interpolate({ a: ['${ROOT}/x/${ROOT}', '$${ROOT}', '$ROOT {ROOT} $', '${ROOT}'], n: 5, e: '${EMPTY}' }, { ROOT: '/srv/$&', EMPTY: '' })
  t.strictSame(value, { a: ['/srv/$&/x//srv/$&', '${ROOT}', '$ROOT {ROOT} $', '/srv/$&'], n: 5, e: '' })
  t.strictSame(mistakes, [])
  t.strictSame([...sources], [['a[3]', 'ROOT'], ['e', 'EMPTY']])
  t.end()
})

t.test('a value from a variable is not read again for variables', t => {
  t.equal(interpolate('${A}', { A: '${B}', B: 'no' }).value, '${B}')
  t.end()
})

const none = (text: string): string => `Expected the name of an environment variable, as in \${NAME}, but received ${JSON.stringify(text)}. A text that holds \${ is written $\${`

t.test('every variable that is missing is named, and every text that names none', t => {
  const { mistakes } = interpolate({ sources: { a: { root: '${A}/${B}' } }, b: ['${toString}', '${}', '${NAME:-default}', '${open'] }, Object.create({ A: 'inherited' }) as Record<string, string>)
  t.strictSame(mistakes, [
    { path: 'sources.a.root', message: 'Expected the environment variable A to be set' },
    { path: 'sources.a.root', message: 'Expected the environment variable B to be set' },
    { path: 'b[0]', message: 'Expected the environment variable toString to be set' },
    { path: 'b[1]', message: none('${}') },
    { path: 'b[2]', message: none('${NAME:-default}') },
    { path: 'b[3]', message: none('${open') }
  ])
  t.end()
})

t.test('the values of variables with a secret\'s name are remembered', t => {
  const { secrets } = interpolate(['${S3_SECRET_KEY}', '${DB_PASSWORD}', '${API_TOKEN}', '${USER}', '${NO_TOKEN}'], { S3_SECRET_KEY: 'k', DB_PASSWORD: 'p', API_TOKEN: 't', USER: 'u', NO_TOKEN: '' })
  t.strictSame([...secrets], ['k', 'p', 't'])
  t.end()
})
