import t from 'tap'
import { orderMistakes, routeKey, type GuardedMount } from '../../../lib/access/order-mistakes.ts'
import type { PrintedRoute } from '../../../lib/access/printed-routes.ts'

const mount: GuardedMount = { name: '/private', prefix: '/private', others: ['/private', '/private/open', '/other'], except: ['/private/status'], own: new Set(), refused: new Set(), foldsCase: false, isPublic: () => false }

function route (url: string, { onRequest = [], methods = ['GET'], preHandler }: { onRequest?: string[], methods?: string[], preHandler?: string[] } = {}): PrintedRoute {
  return { url, methods, hooks: { ...(onRequest.length === 0 ? {} : { onRequest }), ...(preHandler === undefined ? {} : { preHandler }) } }
}

const missing = (words: string, name = '/private'): string => `mount ${name}: ${words} has no authenticate hook: register it in the mount's scope, or list it in access.except`

t.test('every route at or below the prefix needs the hook that asks who is there', async t => {
  for (const url of ['/private', '/private/', '/private/debug', '/private/*', '/private/:id']) t.strictSame(orderMistakes([route(url)], mount), [missing(`GET ${url}`)], url)
  t.strictSame(orderMistakes([route('/private/x', { onRequest: ['logRequest', 'authenticate'] })], mount), [])
})

t.test('routes beside it do not: other words, other mounts, exceptions, and what the router prefers the mount to', async t => {
  for (const url of ['/', '/privateer', '/privat', '/:any', '/*', '*', '/Private/x', '/other/private', '/private/open', '/private/open/*', '/private/status', '/private/status/deep']) t.strictSame(orderMistakes([route(url)], mount), [], url)
  t.strictSame(orderMistakes([route('/private/statuses')], mount), [missing('GET /private/statuses')])
})

t.test('an exception is none for the mount\'s own routes', async t => {
  t.strictSame(orderMistakes([route('/private/status')], { ...mount, own: new Set([routeKey('GET', '/private/status')]) }), [missing('GET /private/status')])
})

t.test('where the router does not tell letter case apart, the check does not either', async t => {
  t.strictSame(orderMistakes([route('/private/debug')], { ...mount, prefix: '/Private', foldsCase: true }), [missing('GET /private/debug')])
  t.strictSame(orderMistakes([route('/private/status')], { ...mount, except: ['/Private/Status'], foldsCase: true }), [])
})

t.test('a place with a parameter has below it whatever stands there', async t => {
  const place = { ...mount, prefix: '/_ipx/:modifiers/private' }
  for (const url of ['/_ipx/:modifiers/private/*', '/_ipx/:modifiers|:size/private', '/_ipx/w_320/private/x']) t.strictSame(orderMistakes([route(url)], place), [missing(`GET ${url}`)], url)
  for (const url of ['/_ipx/:modifiers', '/_ipx/w_320/public/x']) t.strictSame(orderMistakes([route(url)], place), [], url)
})

t.test('of a mount at the root its own routes alone count, whatever their parameters are called', async t => {
  const root = { ...mount, name: '/', prefix: '', own: new Set([routeKey('GET', '/own/:id')]) }
  t.strictSame(orderMistakes([route('/hosts'), route('/own/:id|:name')], root), [missing('GET /own/:id|:name', '/')])
})

t.test('a preflight alone needs none, and only where CORS answers it', async t => {
  t.strictSame(orderMistakes([route('/private/x', { methods: ['OPTIONS'], onRequest: ['handleCors'] })], mount), [])
  t.strictSame(orderMistakes([route('/private/x', { methods: ['OPTIONS'] })], mount), [missing('OPTIONS /private/x')])
  t.strictSame(orderMistakes([route('/private/x', { methods: ['GET', 'OPTIONS'], onRequest: ['handleCors'] })], mount), [missing('GET, OPTIONS /private/x')])
})

t.test('asked later than in onRequest is not asked', async t => {
  t.strictSame(orderMistakes([route('/private/x', { preHandler: ['authenticate'] })], mount), [missing('GET /private/x')])
})

t.test('CORS comes first, by any name and in any hook before the handler', async t => {
  const told = (name: string): string[] => [`mount /private: GET /private/x runs authenticate before ${name}: register CORS first, preflights carry no credentials`]
  t.strictSame(orderMistakes([route('/private/x', { onRequest: ['authenticate', 'handleCors'] })], mount), told('handleCors'))
  t.strictSame(orderMistakes([route('/private/x', { onRequest: ['authenticate', 'myCORS'] })], mount), told('myCORS'))
  t.strictSame(orderMistakes([route('/private/x', { onRequest: ['authenticate'], preHandler: ['handleCors'] })], mount), told('handleCors'))
  t.strictSame(orderMistakes([route('/private/x', { onRequest: ['handleCors', 'authenticate'] })], mount), [])
})

t.test('limits of addresses come before who is there is asked, those of principals behind', async t => {
  t.strictSame(orderMistakes([route('/private/x', { onRequest: ['limitAddress', 'authenticate', 'limitPrincipal'] })], mount), [])
  t.strictSame(orderMistakes([route('/private/x', { onRequest: ['limitPrincipal', 'authenticate', 'limitAddress'] })], mount), [
    'mount /private: GET /private/x runs limitPrincipal before authenticate: nobody is known there yet, register it behind',
    'mount /private: GET /private/x runs limitAddress behind authenticate: register it first, against floods of bad credentials'
  ])
})

t.test('a method that writes is open to nobody, but for those that are refused', async t => {
  const methods = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'LOCK']
  const open = { ...mount, isPublic: (method: string) => method !== 'PATCH' }
  const asked = route('/private/x', { onRequest: ['authenticate'], methods })
  t.strictSame(orderMistakes([asked], open), ['mount /private: POST, PUT, DELETE and 1 more methods of /private/x is open to everybody: name in access.write who may write'])
  t.strictSame(orderMistakes([asked], { ...open, refused: new Set(['POST', 'PUT', 'DELETE'].map(method => routeKey(method, '/private/x'))) }), ['mount /private: LOCK /private/x is open to everybody: name in access.write who may write'])
  t.strictSame(orderMistakes([asked], mount), [])
})
