import { spawn, spawnSync, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AwsClient } from 'aws4fetch'
import type { S3Config } from '../../lib/config/writing-schema.ts'
import type { Test } from './app.ts'
import { accepts, eventually, freePort } from './process.ts'

/*
 * An object store that speaks S3, as real as it can be had: Ceph's radosgw over one monitor and
 * one OSD that keeps its objects in memory. It is there in about a second, so each test file that
 * asks has one of its own.
 */

/** Who may sign, and where a bucket lies. */
export interface Bucket {
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly bucket: string
}

/** An object store for the length of a test. What it keeps outlives its front end. */
export interface OwnRadosgw extends Bucket {
  /** Ends what speaks S3, without a word. */
  kill (): Promise<void>
  /** Starts it again on the same port, over the same objects. */
  restart (): Promise<void>
  /** It accepts connections from now on, and is silent. */
  pause (): void
  /** It goes on. */
  resume (): void
}

const packages = join(tmpdir(), `fastify-media-radosgw-${process.getuid?.() ?? 0}`)

/** Why tests with a real object store cannot run here, for `skip`; false where they can. */
export const noRadosgw: string | false = whyNot()

/** Where the packages lie, unpacked or installed. */
const root = existsSync(join(packages, 'root')) ? join(packages, 'root') : '/'
const machine = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu'
const libraries = join(root, 'usr/lib', machine)

/** How often it is begun anew where another process was faster to take a port. */
const STARTS = 5

/** Milliseconds that each part may take to be up, on a machine that does other things too. */
const UP_MS = 60_000

let shared: Promise<Cluster> | undefined

/** An empty bucket in the object store of this test file. */
export async function radosgw (_t: Test): Promise<Bucket> {
  shared ??= Cluster.start()
  return await (await shared).newBucket()
}

/** An empty bucket in an object store that nobody else uses, and that can be killed. */
export async function ownRadosgw (t: Test): Promise<OwnRadosgw> {
  const cluster = await Cluster.start()
  t.teardown(() => cluster.end())
  return {
    ...await cluster.newBucket(),
    kill: async () => await cluster.killFrontEnd(),
    restart: async () => await cluster.startFrontEnd(),
    pause: () => cluster.signalFrontEnd('SIGSTOP'),
    resume: () => cluster.signalFrontEnd('SIGCONT')
  }
}

/** Signs requests as the owner of a bucket, for tests that look at it from outside. */
export function signedFetch ({ accessKeyId, secretAccessKey, region, endpoint, bucket }: Bucket): (path: string, init?: RequestInit) => Promise<Response> {
  const client = new AwsClient({ accessKeyId, secretAccessKey, region, service: 's3', retries: 0 })
  return async (path, init) => await client.fetch(`${endpoint}/${bucket}${path}`, init)
}

/** A source of it, with every default in place. */
export function bucketConfig ({ endpoint, region, accessKeyId, secretAccessKey, bucket }: Bucket, choices: Partial<S3Config> = {}): S3Config {
  return { driver: 's3', endpoint, region, accessKeyId, secretAccessKey, bucket, prefix: '', pathStyle: true, connections: 64, timeoutMs: 30_000, partBytes: 8_388_608, presignSeconds: 300, ...choices }
}

/** Whether it is the front end that has the port: another daemon may have been faster, which starts the whole anew. */
async function speaksHttp (port: number): Promise<boolean> {
  return await fetch(`http://127.0.0.1:${port}/`).then(async answer => { await answer.arrayBuffer(); return true }, (error: Error & { cause?: { code?: string } }) => {
    if (error.cause?.code?.startsWith('HPE_') === true) throw new Error('Another server has the port')
    return false
  })
}

function whyNot (): string | false {
  if (process.platform !== 'linux' || !existsSync('/usr/bin/apt-get')) return 'Ceph\'s radosgw is there as Debian packages alone'
  const { status, stderr } = spawnSync('bash', ['test/services/radosgw.sh', packages], { encoding: 'utf8' })
  return status === 0 ? false : `the Debian packages of Ceph's radosgw cannot be had: ${stderr.trim().split('\n').at(-1)}`
}

/** Monitor, OSD and front end below a directory of their own. They end with this process, however it ends. */
class Cluster {
  readonly #directory: string
  readonly #port: number
  readonly #running = new Set<ChildProcess>()
  readonly #secret = randomBytes(20).toString('hex')
  readonly #end = (): void => this.end()
  #frontEnd: ChildProcess | undefined
  #buckets = 0

  private constructor (directory: string, port: number) {
    this.#directory = directory
    this.#port = port
    process.once('exit', this.#end)
  }

  static async start (tries = STARTS): Promise<Cluster> {
    sweep()
    const cluster = new Cluster(mkdtempSync(join(tmpdir(), `fastify-media-ceph-${process.pid}-`)), await freePort())
    try {
      await cluster.#startStore(await freePort())
      await cluster.startFrontEnd()
      cluster.#run('radosgw-admin', '-n', 'client.rgw', 'user', 'create', '--uid=test', '--display-name=test', '--access-key=test', `--secret-key=${cluster.#secret}`)
      return cluster
    } catch (error) {
      cluster.end()
      if (tries === 1) throw error
      return await Cluster.start(tries - 1)
    }
  }

  /** Makes the maps that commands would make one by one otherwise, and starts monitor and OSD over them. */
  async #startStore (monitorPort: number): Promise<void> {
    const below = (name: string): string => join(this.#directory, name)
    const cluster = randomUUID()
    for (const name of ['mon', 'osd', 'rgw', 'run']) mkdirSync(below(name))
    writeFileSync(below('ceph.conf'), configuration(this.#directory, { cluster, monitorPort, port: this.#port }))
    this.#run('monmaptool', '--create', '--fsid', cluster, '--addv', 'a', `[v1:127.0.0.1:${monitorPort}]`, below('monmap'))
    this.#run('osdmaptool', below('osdmap'), '--createsimple', '1')
    this.#run('ceph-mon', '--mkfs', '-i', 'a', '--monmap', below('monmap'), '--osdmap', below('osdmap'))
    this.#run('ceph-osd', '--mkfs', '-i', '0', '--no-mon-config', '--osd-uuid', randomUUID())
    await this.#up('mon.a', this.#spawn('ceph-mon', '-i', 'a', '-f'), async () => await accepts(monitorPort))
    const osd = this.#spawn('ceph-osd', '-i', '0', '-f')
    await this.#up('osd.0', osd, () => this.#logged('osd.0').includes('booting -> active'))
  }

  async startFrontEnd (): Promise<void> {
    this.#frontEnd = this.#spawn('radosgw', '-n', 'client.rgw', '-f')
    await this.#up('client.rgw', this.#frontEnd, async () => await accepts(this.#port) && await speaksHttp(this.#port))
  }

  async #up (name: string, program: ChildProcess, isSo: () => boolean | Promise<boolean>): Promise<void> {
    await eventually(async () => {
      if (program.exitCode !== null) throw new Error(`${name} ended: ${this.#logged(name)}`)
      return await isSo()
    }, UP_MS)
  }

  async killFrontEnd (): Promise<void> {
    const frontEnd = this.#frontEnd
    if (frontEnd === undefined || !this.#running.has(frontEnd)) return
    const exited = once(frontEnd, 'exit')
    frontEnd.kill('SIGKILL')
    frontEnd.ref()
    await exited
  }

  signalFrontEnd (signal: NodeJS.Signals): void {
    this.#frontEnd?.kill(signal)
  }

  async newBucket (): Promise<Bucket> {
    const bucket: Bucket = { endpoint: `http://127.0.0.1:${this.#port}`, region: 'us-east-1', accessKeyId: 'test', secretAccessKey: this.#secret, bucket: `bucket-${++this.#buckets}` }
    const { status } = await signedFetch(bucket)('', { method: 'PUT' })
    if (status !== 200) throw new Error(`Expected 200 for a new bucket but received ${status}: ${this.#logged('client.rgw')}`)
    return bucket
  }

  end (): void {
    process.removeListener('exit', this.#end)
    const running = [...this.#running]
    this.#running.clear()
    for (const one of running) one.kill('SIGKILL')
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 5 })
  }

  /** The end of a log, for the error. */
  #logged (name: string): string {
    const path = join(this.#directory, `${name}.log`)
    return existsSync(path) ? readFileSync(path, 'utf8').slice(-2000) : 'nothing was logged'
  }

  get #options (): SpawnOptions {
    return { env: { ...process.env, CEPH_CONF: join(this.#directory, 'ceph.conf'), PATH: `${join(root, 'usr/bin')}:${process.env.PATH}`, LD_LIBRARY_PATH: [libraries, join(libraries, 'ceph'), join(root, 'lib', machine)].join(':') } }
  }

  #run (program: string, ...args: string[]): void {
    const { status, stderr } = spawnSync(program, args, { ...this.#options, encoding: 'utf8', timeout: 60_000 })
    if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr.slice(-2000)}`)
  }

  /** The kernel ends it with us, even where we are killed. */
  #spawn (program: string, ...args: string[]): ChildProcess {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], { ...this.#options, stdio: 'ignore' })
    this.#running.add(child)
    child.once('exit', () => this.#running.delete(child))
    child.unref()
    return child
  }
}

/** Removes what killed processes could not. */
function sweep (): void {
  for (const name of readdirSync(tmpdir())) {
    const [, holder] = /^fastify-media-ceph-(\d+)-/.exec(name) ?? []
    if (holder !== undefined && !existsSync(`/proc/${holder}`)) rmSync(join(tmpdir(), name), { recursive: true, force: true })
  }
}

/**
 * One copy of everything; no passwords within; changes of the maps are agreed on at once rather than once a
 * second; deleted objects are gone after seconds rather than hours; and the front end keeps nothing in memory, of
 * which a killed one would have to be told in vain.
 */
function configuration (directory: string, { cluster, monitorPort, port }: { cluster: string, monitorPort: number, port: number }): string {
  return `[global]
fsid = ${cluster}
mon host = [v1:127.0.0.1:${monitorPort}]
public addr = 127.0.0.1
ms bind msgr2 = false
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
paxos propose interval = 0.02
paxos min wait = 0.01
mon data = ${directory}/mon
mon cluster log file = ${directory}/cluster.log
osd data = ${directory}/osd
osd objectstore = memstore
memstore device bytes = 8589934592
osd class load list = *
osd class default list = *
rgw data = ${directory}/rgw
rgw frontends = beast endpoint=127.0.0.1:${port} tcp_nodelay=1
rgw thread pool size = 32
rgw cache enabled = false
rgw gc obj min wait = 2
rgw gc processor period = 2
rgw gc processor max time = 2
run dir = ${directory}/run
crash dir = ${directory}/run
admin socket = ${directory}/run/$name.asok
pid file = ${directory}/run/$name.pid
log file = ${directory}/$name.log
plugin dir = ${libraries}/ceph
erasure code dir = ${libraries}/ceph/erasure-code
osd class dir = ${libraries}/rados-classes
`
}
