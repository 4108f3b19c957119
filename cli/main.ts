#!/usr/bin/env node
import { ConfigError } from '../lib/config/mistakes.ts'

/** One file per command; each is loaded only when it is asked for. */
const commands: Record<string, { summary: string, run: () => Promise<{ default: (args: string[]) => Promise<void> }> }> = {
  serve: { summary: 'serve [directory] [--config FILE] [--host HOST] [--port PORT]', run: async () => await import('./serve.ts') },
  'check-config': { summary: 'check-config [FILE]', run: async () => await import('./check-config.ts') }
}

const [name = 'serve', ...args] = process.argv.slice(2)
const command = commands[name]

try {
  if (command === undefined) {
    const help = ['-h', '--help', 'help'].includes(name)
    const text = ['Usage:', ...Object.values(commands).map(({ summary }) => `  fastify-media ${summary}`)].join('\n')
    if (help) console.log(text)
    else {
      console.error(`Expected a command but received ${name}\n${text}`)
      process.exitCode = 2
    }
  } else {
    await (await command.run()).default(args)
  }
} catch (error) {
  const expected = error instanceof ConfigError || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS') === true
  console.error(expected ? (error as Error).message : error)
  process.exitCode = 1
}
