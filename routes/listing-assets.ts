import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { packageRoot } from '../lib/package-root.ts'

/** Where a listing finds its style and script, from the root of the app. */
export const LISTING_ASSETS = '/_media/listing/'

/** The style and script of listings: our own files, few and small, so @fastify/static sends them. */
export default async function listingAssets (scope: FastifyInstance): Promise<void> {
  await scope.register(fastifyStatic, { root: join(packageRoot, 'web'), prefix: LISTING_ASSETS, index: false, maxAge: '1h', setHeaders: forbidSniffing })
}

function forbidSniffing (reply: FastifyReply): void {
  reply.header('x-content-type-options', 'nosniff')
}
