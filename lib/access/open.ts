import { readFile } from 'node:fs/promises'
import type { JwtConfig, SignedConfig, StrategyConfig } from '../config/access-schema.ts'
import type { AccessLog, Strategy } from './access.ts'
import { AddressStrategy } from './addresses.ts'
import { ApiKeyStrategy } from './api-keys.ts'
import { CertificateStrategy } from './client-certificate.ts'
import { ForwardStrategy } from './forward.ts'
import { textOf } from './key-file.ts'
import { MAX_ANSWER_BYTES } from './policy-answer.ts'
import type { ServiceClient } from './service-request.ts'
import { SignedStrategy } from './signed.ts'
import type { VerifierOf } from './token-verifier.ts'

/** What stands around strategies. */
export interface StrategySurroundings {
  readonly log: AccessLog
  /** Who verifies tokens: loaded where there are any. */
  readonly verifierOf: () => Promise<VerifierOf>
}

/**
 * Opens the strategies of a checked configuration.
 *
 * @throws where a file with a key is gone since it was checked, or a key cannot be used
 */
export async function openStrategies (configs: Readonly<Record<string, StrategyConfig>>, surroundings: StrategySurroundings): Promise<Map<string, Strategy>> {
  return new Map(await Promise.all(Object.entries(configs).map(async ([name, config]) => [name, await openStrategy(name, config, surroundings)] as const)))
}

async function openStrategy (name: string, config: StrategyConfig, { log, verifierOf }: StrategySurroundings): Promise<Strategy> {
  switch (config.driver) {
    case 'jwt': return await tokens(name, config, { log, verifierOf })
    case 'apiKey': return new ApiKeyStrategy({ name, config })
    case 'signed': return new SignedStrategy({ name, config, secrets: await signingSecrets(config), log })
    case 'forward': return new ForwardStrategy({ name, config, client: await policyClient(config), log })
    case 'mtls': return new CertificateStrategy({ name, config })
    default: return new AddressStrategy({ name, config })
  }
}

async function tokens (name: string, config: JwtConfig, { log, verifierOf }: StrategySurroundings): Promise<Strategy> {
  const { JwtStrategy } = await import('./jwt.ts') // it brings undici, which who has no tokens does not need
  const { key, keyFile } = config
  return new JwtStrategy({ name, config, key: keyFile === undefined ? key : await textOf(keyFile), verifierOf: await verifierOf(), log })
}

/** The secrets of signing keys, by their ids. */
export async function signingSecrets ({ keys }: SignedConfig): Promise<Array<{ id: string, secret: string, revoked: boolean }>> {
  return await Promise.all(keys.map(async ({ id, secret, secretFile, revoked }) => ({ id, revoked, secret: secret ?? await textOf(secretFile as string) })))
}

async function policyClient ({ url, connections, maxWaiting, timeoutMs, ca }: Extract<StrategyConfig, { driver: 'forward' }>): Promise<ServiceClient> {
  const { ServiceClient: Client } = await import('./service-request.ts')
  return new Client({ url, connections, maxWaiting, timeoutMs, maxBytes: MAX_ANSWER_BYTES, ...ca === undefined ? {} : { ca: await readFile(ca, 'utf8') } })
}
