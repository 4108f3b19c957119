import { WorkerPool } from '../../../../../lib/image/workers/worker-pool.ts'
import { pretend } from './pretend.ts'

/** A server with one worker that decodes and one that idles: tells their process ids, and waits to be killed. */
const pool = new WorkerPool({ workers: 2, program: new URL('./hostile.ts', import.meta.url) })
await Promise.all([pool.run(pretend('sleep', { ms: 20 }), []), pool.run(pretend('sleep', { ms: 20 }), [])])
pool.run(pretend('decode'), []).catch(() => {})
console.log(JSON.stringify(pool.pids))
setInterval(() => {}, 1000)
