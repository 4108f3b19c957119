#!/usr/bin/env node
import { ConfigError, didYouMean } from '../lib/config/mistakes.ts'
import { UsageError } from './usage.ts'

/** What each file of a command exports. */
interface Command {
  /** Runs it with what stood behind its name. */
  default: (args: string[]) => Promise<void>
}

/** One file per command; each is loaded only when it is asked for. */
const commands: Record<string, { usage: string, summary: string, load: () => Promise<Command> }> = {
  serve: {
    usage: 'serve [DIRECTORY] [--config FILE] [--host HOST] [--port PORT]',
    summary: 'serve a directory, or what a configuration file says',
    load: async () => await import('./serve.ts')
  },
  'check-config': {
    usage: 'check-config [FILE]',
    summary: 'print a configuration with every default and without secrets, or every mistake in it',
    load: async () => await import('./check-config.ts')
  },
  warm: {
    usage: 'warm [DIRECTORY] [--config FILE] [--mount PREFIX] [--preset NAME]... [--query QUERY]... [--concurrency N]',
    summary: 'make the variants of all pictures before anyone asks: those of all presets, or those that are named',
    load: async () => await import('./warm.ts')
  },
  purge: {
    usage: 'purge WHAT [--config FILE]',
    summary: 'have servers forget variants: of /photos/cat.jpg, of all below /photos/, of a tag, or * for all',
    load: async () => await import('./purge.ts')
  },
  'dead-letters': {
    usage: 'dead-letters [list | replay ID... | replay --all | remove ID...] [--config FILE] [--webhook NAME] [--json]',
    summary: 'list the messages about files that no webhook took, have them sent again, or remove them',
    load: async () => await import('./dead-letters.ts')
  },
  sign: {
    usage: 'sign PATH_OR_URL [--config FILE] [--strategy NAME] [--key ID] [--expires 1h|DATE|never] [--not-before 5m|DATE] [--method METHOD] [--address IP]',
    summary: 'print a URL with a signature that lets whoever has it in, for an hour unless told otherwise',
    load: async () => await import('./sign.ts')
  },
  key: {
    usage: 'key NAME, or key --hash',
    summary: 'make an API key and what the configuration says of it, or read a key from the standard input and print its hash',
    load: async () => await import('./key.ts')
  }
}

function usage (): string {
  return [
    'Usage: fastify-media COMMAND',
    '',
    ...Object.values(commands).flatMap(command => [`  ${command.usage}`, `      ${command.summary}`]),
    '  --help, --version',
    '      print this, or the version',
    '',
    'Without a command: serve. Without a directory and a configuration file: the pictures that come with the package.'
  ].join('\n')
}

async function run (name: string, args: string[]): Promise<void> {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (['--help', '-h', 'help'].includes(name)) console.log(usage())
  else if (['--version', '-v'].includes(name)) console.log((await import('./version.ts')).version)
  else if (command === undefined) throw new UsageError(`Expected a command but received ${name}${didYouMean(name, Object.keys(commands))}`)
  else if (args.some(arg => ['--help', '-h'].includes(arg))) console.log(`Usage: fastify-media ${command.usage}\n\n  ${command.summary}`)
  else await (await command.load()).default(args)
}

const [name = 'serve', ...args] = process.argv.slice(2)
try {
  await run(name, args)
} catch (error) {
  if (error instanceof UsageError) console.error(`${error.message}\n\n${usage()}`)
  else console.error(error instanceof ConfigError ? error.message : error)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
