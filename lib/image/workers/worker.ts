import { engineOf, sharp } from '../pipeline/engine.ts'
import { runJob } from '../pipeline/pipeline.ts'
import { serveJobs } from './worker-loop.ts'

// The program of an image worker, started by `WorkerPool`.

// VIPS_BLOCK_UNTRUSTED keeps out what nobody hardened; of that, SVG is wanted, after it was sanitised.
// Each job reads its own files: what libvips keeps of the last one is memory that the next needs.
sharp.cache(false)
// One thread a picture, one worker a core: more threads only cost memory.
sharp.concurrency(1)
sharp.unblock({ operation: ['VipsForeignLoadSvg'] })
serveJobs(runJob, engineOf(sharp))
