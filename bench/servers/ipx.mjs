import { createServer } from 'node:http'
import { createIPX, createIPXNodeServer, ipxFSStorage } from 'ipx'

/** IPX with its own node server and its own defaults, as its command line starts it. `ROOT`, `PORT`. */

const { ROOT, PORT } = process.env
const ipx = createIPX({ storage: ipxFSStorage({ dir: ROOT }) })
createServer(createIPXNodeServer(ipx)).listen(Number(PORT), '127.0.0.1')
