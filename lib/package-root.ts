import { fileURLToPath } from 'node:url'

/** The directory that holds `package.json` and `web/`; compiled code lies one level deeper than its source. */
export const packageRoot = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '..' : '../..', import.meta.url))
