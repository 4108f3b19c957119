import { loadavg } from 'node:os'
import { requirePrograms } from './lib/packages.mjs'
import { finish } from './lib/report.mjs'
import { scratchDirectory } from './lib/scratch.mjs'
import { cacheFigures, liveFigures, ratioFigures, streamFigures } from './proxy/figures.mjs'
import { writeFiles } from './proxy/files.mjs'
import { measureLive } from './proxy/live.mjs'
import { measureTable } from './proxy/measure.mjs'
import { printProxied, printRest, printStreams } from './proxy/print.mjs'
import { startOrigin } from './proxy/servers.mjs'
import { measureCache } from './proxy/shared-cache.mjs'
import { measureStreams } from './proxy/streams.mjs'

/**
 * `npm run bench:proxy [-- --quick]`: files of an nginx through our proxy, with the whole hook chain
 * on, beside @fastify/http-proxy, node-http-proxy, nginx and Caddy in the same run; large streams,
 * the shared cache, live streams. Quick measures only what a figure needs.
 */

const isQuick = process.argv.includes('--quick')
const plan = isQuick
  ? { isQuick, rounds: 2, leadMs: 500, longLeadMs: 150, ms: 500, longMs: 800, warmMs: 800, touchMs: 150, firstBytes: 15, stops: 3, cacheRounds: 3, liveMs: 1200 }
  : { isQuick, rounds: 5, leadMs: 700, longLeadMs: 700, ms: 1000, longMs: 2000, warmMs: 2000, touchMs: 300, firstBytes: 51, stops: 7, cacheRounds: 7, liveMs: 5000 }

const programs = requirePrograms({ nginx: 'nginx', caddy: 'caddy', wrk: 'wrk' })
const started = performance.now()
const [loadBefore] = loadavg()
const root = scratchDirectory('files')
const files = writeFiles(root)

const origin = await startOrigin({ root, programs })
const table = await measureTable({ plan, origin, files, programs })
printProxied(table, plan)
const streams = await measureStreams({ plan, origin, programs })
printStreams(streams)
await origin.stop()
const cache = await measureCache({ plan, root, files, programs })
const live = await measureLive({ plan })
printRest({ cache, live })
console.log(`\n${isQuick ? 'Quick run' : 'Run'} of ${Math.round((performance.now() - started) / 1000)} s; the machine's load was ${loadBefore.toFixed(1)} before it`)
finish('proxy', [...ratioFigures(table), ...streamFigures(streams.ours), ...cacheFigures(cache), ...liveFigures(live)])
