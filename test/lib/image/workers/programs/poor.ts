import { serveJobs } from '../../../../../lib/image/workers/worker-loop.ts'

// An engine that reads JPEG alone.
serveJobs(async () => ({ bytes: Buffer.alloc(0), facts: {} }), { inputs: ['jpeg'], outputs: ['jpeg'] })
