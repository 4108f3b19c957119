import { KIB, MIB } from './content.mjs'

const LARGE = { size: 10 * MIB, connections: 8 }
const SMALL = { connections: 16 }

/**
 * What is sent, and to whom. `lead` and `count`: files before a sample, and in it. `needed`: the servers
 * that a figure rests on. A large file's CPU is told in ms per MB, a small one's in µs.
 */
export function casesOf (plan) {
  const large = { ...LARGE, ...plan.large }
  const small = { ...SMALL, ...plan.small }
  const cases = [
    { name: 'PUT 10 MB', way: 'put', digest: true, ...large, on: ['ours', 'nginx', 'nginx, 1 MB buffers'], needed: ['ours', 'nginx'] },
    { name: 'PUT 10 MB, no digest', way: 'put', ...large, on: ['ours', 'nginx', 'node:http', 'node:http, no fsync'] },
    { name: 'PUT 200 KB', way: 'put', digest: true, size: 200 * KIB, ...small, on: ['ours', 'nginx', 'node:http', 'node:http, no fsync'] },
    { name: 'PUT 2 KB', way: 'put', digest: true, size: 2 * KIB, ...small, on: ['ours', 'nginx', 'node:http', 'node:http, no fsync'] },
    { name: 'form of 10 MB', way: 'form', ...large, on: ['ours', '@fastify/multipart'] },
    { name: 'tus, 10 MB in 1 MB chunks', way: 'tus', ...large, on: ['ours'] }
  ]
  return plan.isQuick ? cases.filter(({ needed }) => needed !== undefined).map(one => Object.assign(one, { on: one.needed })) : cases
}

export function isLarge ({ size }) {
  return size >= MIB
}

/** The load of a case on a server, without its names and how many. */
export function loadOf ({ way, size, digest = false, connections }, { url, base, headers }) {
  return { url, base, headers, way, size, digest, connections }
}
