import { digits, printTable } from '../lib/report.mjs'
import { KEYS, SIGNED_URLS, TOKENS } from './credentials.mjs'
import { FILE_BYTES } from './variants.mjs'

/** The table of one setting of the access logs. */
export function printAccess (table, plan) {
  printTable(`CPU µs per request of ${FILE_BYTES / 1024} KB, access logs ${table.logs ? 'on' : 'off'}, median of ${plan.rounds}`,
    ['', 'CPU µs', 'above', 'ratio', 'limit µs', 'limit ratio', '', 'requests/s', 'p99 ms'],
    table.runs.map(run => [
      run.name,
      digits(table.value('cpu', run.name)),
      ...run.base === undefined ? ['', ''] : [digits(table.above(run)), digits(table.ratio(run))],
      run.limits?.us ?? '',
      run.limits?.ratio ?? '',
      run.limits === undefined ? '' : isHeld(table, run) ? 'held' : 'missed',
      digits(table.value('rate', run.name)),
      digits(table.value('p99', run.name))
    ]))
}

/** What the tables do not say by themselves. */
export function printNotes () {
  console.log(`
64 keep-alive connections from one address; every variant of ours is a mount of one process, over one source.
JWT: ${TOKENS} tokens in turn over all connections, as users repeat theirs: what a token says is remembered.
API key: ${KEYS} keys of ${KEYS} in the configuration in turn. Signed URL: ${SIGNED_URLS} signatures of the same file in turn.
Above and ratio: to public, those of plain Fastify's to plain Fastify; medians of the rounds' own.
"public, sent a …": the same bytes on the public mount, which does not look at them: what is Node.js's own share of a longer request.`)
}

function isHeld (table, run) {
  const { us = Infinity, ratio } = run.limits
  return table.ratio(run) <= ratio && table.above(run) <= us
}
