import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** What is in use once what nobody holds is gone. Of buffers some may go a little later. */
export function memoryInUse (): NodeJS.MemoryUsage {
  collect()
  return process.memoryUsage()
}
