// Serves a configuration file as a user who owns nothing. Privileges are dropped once it
// listens, so that it does not matter who may enter the directory the project lies in.
import { loadConfig } from '../../dist/lib/config/load.js'
import { startServer } from '../../dist/server.js'

const NOBODY = 65_534

const { config } = await loadConfig({ cwd: process.cwd(), environment: process.env, file: process.argv[2], fallback: {} })
const app = await startServer(config)
if (process.getuid() === 0) {
  process.setgroups([])
  process.setgid(NOBODY)
  process.setuid(NOBODY)
}
console.error(`Serving on ${app.listeningOrigin}`)
