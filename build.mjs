// Compiles to dist/. TypeScript leaves `.ts` in the imports of declarations, where it means
// nothing to who installs the package: here they become `.js`, as in the code beside them.
// The schema is built once here, and what comes out is written in its place: TypeBox, which only
// describes it, would take a server 12 MB of memory and a third of its start.
// Only what changed is written, each file at once: a server that starts meanwhile reads whole files.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Ajv2020 } from 'ajv/dist/2020.js'
import standalone from 'ajv/dist/standalone/index.js'

const { default: standaloneCode } = standalone

const root = import.meta.dirname
const dist = join(root, 'dist')
const fresh = join(root, `.dist-${process.pid}`) // as deep as dist/, for the relative paths in source maps
const tsc = join(createRequire(import.meta.url).resolve('typescript/package.json'), '../bin/tsc')

function filesIn (directory) {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { recursive: true }).filter(name => statSync(join(directory, name)).isFile())
}

function finished (name) {
  const text = readFileSync(join(fresh, name), 'utf8')
  return name.endsWith('.d.ts') ? text.replaceAll(/((?:from|import)[ (]*['"]\.{1,2}\/[^'"]+)\.ts(?=['"])/g, '$1.js') : text
}

async function freezeSchema () {
  const file = join(fresh, 'lib/config/schema.js')
  if (!existsSync(file)) return
  const { Config } = await import(pathToFileURL(file).href)
  writeFileSync(file, `export const Config = ${JSON.stringify(Config, null, 2)};\n`)
  rmSync(`${file}.map`)
}

/** The code that checks a configuration, so that nobody has to compile it at a start. */
async function compileValidator () {
  const file = join(fresh, 'lib/config/validate.js')
  if (!existsSync(file)) return
  const [{ Config }, { validatorOptions }] = await Promise.all(['schema', 'validator-options'].map(name => import(`${pathToFileURL(join(fresh, `lib/config/${name}.js`)).href}?frozen`)))
  const ajv = new Ajv2020({ ...validatorOptions, code: { source: true, esm: true } })
  writeFileSync(file, `import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);\n${standaloneCode(ajv, ajv.compile(Config))}\n`)
  rmSync(`${file}.map`)
}

try {
  const { status } = spawnSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', fresh], { stdio: 'inherit' })
  process.exitCode = status ?? 1
  await freezeSchema()
  await compileValidator()
  const names = new Set(filesIn(fresh))
  for (const name of names) {
    const text = finished(name)
    const file = join(dist, name)
    if (existsSync(file) && readFileSync(file, 'utf8') === text) continue
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(join(fresh, name), text)
    renameSync(join(fresh, name), file)
  }
  for (const name of filesIn(dist)) if (!names.has(name) && process.exitCode === 0) rmSync(join(dist, name))
} finally {
  rmSync(fresh, { recursive: true, force: true })
}
