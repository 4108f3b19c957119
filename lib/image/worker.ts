import { engineOf, sharp } from './engine.ts'
import { runJob } from './pipeline.ts'
import { serveJobs } from './worker-loop.ts'

// The program of an image worker, started by `WorkerPool`.

// VIPS_BLOCK_UNTRUSTED keeps out what nobody hardened; of that, SVG is wanted, after it was sanitised.
sharp.unblock({ operation: ['VipsForeignLoadSvg'] })
serveJobs(runJob, engineOf(sharp))
