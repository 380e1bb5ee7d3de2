// A deployment's files in the programs they are for: rendered into a folder, mounted into containers as a deployment mounts them. Promises that nothing is
// left when it is closed.

import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureCertificates } from '@wintrades/operations/certificates'
import { readTopology, renderDeployment, type Topology } from '@wintrades/topology'
import { parse } from 'yaml'
import { ensureDocker } from '../lab/docker.ts'
import { ensureImage, type ImageName } from '../lab/images.ts'
import { run } from '../lab/shell.ts'

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url))
const ORDER = ['us-east', 'eu-west', 'asia-pacific']
/** Of `operations`, at the balancer. */
export const PASSWORD = 'not-the-default'

export type ContainerOptions = {
  readonly image: ImageName
  /** Host file → file in the container. */
  readonly files?: Readonly<Record<string, string>>
  /** Names under which others of the network find it. */
  readonly names?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly flags?: readonly string[]
  readonly command: readonly string[]
}

export type StackService = {
  readonly environment?: Readonly<Record<string, string>>
  readonly entrypoint?: readonly string[]
  readonly cap_drop?: readonly string[]
  readonly cap_add?: readonly string[]
  readonly configs?: readonly { readonly source: string; readonly target: string }[]
  readonly volumes?: readonly { readonly type: string; readonly target: string }[]
  readonly healthcheck: { readonly test: readonly string[] }
}

export class Ground {
  readonly directory: string
  readonly topology: Topology
  readonly #id: string
  readonly #endDocker: () => Promise<void>
  readonly #containers: string[] = []
  readonly #volumes: string[] = []
  readonly #files: ReadonlyMap<string, string>

  private constructor(id: string, topology: Topology, endDocker: () => Promise<void>) {
    this.#id = id
    this.#endDocker = endDocker
    this.topology = topology
    this.directory = mkdtempSync(join(tmpdir(), 'wintrades-rendered-'))
    chmodSync(this.directory, 0o755)
    const read = (path: string) => readFileSync(join(REPOSITORY, path), 'utf8')
    this.#files = renderDeployment(topology, { read, digest: () => '000000000000' })
    cpSync(join(REPOSITORY, 'deployment'), join(this.directory, 'deployment'), { recursive: true })
    cpSync(join(REPOSITORY, 'markets.yml'), join(this.directory, 'markets.yml'))
    for (const [path, text] of this.#files) this.write(path, text)
  }

  /** `change`: to the example, which is told the addresses of the network that its containers will be in. */
  static async open(
    change: (raw: Record<string, unknown>, network: NetworkAddresses) => void = () => {},
  ): Promise<Ground> {
    const endDocker = await ensureDocker(say)
    // Here, where there is time for it, and not in the test that is the first to need one.
    for (const image of ['checks', 'varnish', 'mysql', 'redis'] as const) await ensureImage(image, say)
    const id = `wintrades-rendered-${process.pid}`
    const prefix6 = `fd77:${(process.pid % 0xffff).toString(16)}:`
    await run('docker', ['network', 'create', '--ipv6', '--subnet', `${prefix6}:/64`, id])
    const [subnet = '', gateway = ''] = (
      await run('docker', [
        'network',
        'inspect',
        id,
        '--format',
        '{{(index .IPAM.Config 0).Subnet}} {{(index .IPAM.Config 0).Gateway}}',
      ])
    ).split(' ')
    const raw = parse(readFileSync(join(REPOSITORY, 'topology.example.yml'), 'utf8'))
    change(raw, { subnet, gateway: gateway.split('/')[0] ?? '', gateway6: `${prefix6}:1` })
    const result = readTopology(
      raw,
      ORDER.map((name) => ({ name, regions: ORDER })),
    )
    if (!result.ok) throw new Error(result.faults.map(({ path, message }) => `${path} ${message}`).join('\n'))
    return new Ground(id, result.topology, endDocker)
  }

  /** The path of a file of the deployment, in its folder. */
  at(path: string): string {
    return join(this.directory, path)
  }

  /** As the stack file says it. */
  get stack(): {
    readonly services: Readonly<Record<string, StackService>>
    readonly configs: Readonly<Record<string, { readonly file: string }>>
  } {
    return parse(readFileSync(this.at('docker-compose.global.yml'), 'utf8'), { version: '1.1' })
  }

  /** The file of a config of the stack. */
  configOf(name: string): string {
    return this.at(this.stack.configs[name]?.file ?? '')
  }

  write(path: string, text: string): string {
    const target = this.at(path)
    mkdirSync(join(target, '..'), { recursive: true })
    writeFileSync(target, text, { mode: 0o644 })
    return target
  }

  /** A folder with `public.pem`, `users.cfg`, `ca.pem`, `server.pem` and `server.key`, readable by every user. */
  async secrets(name: string): Promise<string> {
    const tls = this.at('tls')
    await ensureCertificates(tls, [{ name, hosts: [name] }])
    const folder = this.at(`secrets-${name}`)
    mkdirSync(folder)
    const put = (file: string, text: string) => writeFileSync(join(folder, file), text, { mode: 0o644 })
    const text = (file: string) => readFileSync(join(tls, name, file), 'utf8')
    for (const file of ['ca.pem', 'server.pem', 'server.key']) put(file, text(file))
    put('public.pem', `${text('server.pem')}${text('server.key')}`)
    const digest = execFileSync('openssl', ['passwd', '-5', '-stdin'], { input: PASSWORD, encoding: 'utf8' }).trim()
    put('users.cfg', `userlist operations\n  user operations password ${digest}\n`)
    return folder
  }

  /** Runs a program in a container to its end. */
  async check({ image, files = {}, environment = {}, flags = [], command }: ContainerOptions): Promise<string> {
    const name = await ensureImage(image, say)
    const args = [...mounts(files), ...variables(environment), ...flags, name, ...command]
    return await run('docker', ['run', '--rm', ...args], { timeout_ms: 120_000 })
  }

  async start(options: ContainerOptions): Promise<Container> {
    const { image, files = {}, names = [], environment = {}, flags = [], command } = options
    const imageName = await ensureImage(image, say)
    const aliases = names.flatMap((name) => ['--network-alias', name])
    const network = flags.some((flag) => flag.startsWith('--network')) ? [] : ['--network', this.#id]
    const args = [...network, ...aliases, ...mounts(files), ...variables(environment), ...flags, imageName, ...command]
    const id = await run('docker', ['run', '--detach', '--label', 'wintrades.rendered', ...args])
    this.#containers.push(id)
    const [address = '', address6 = ''] = (
      await run('docker', [
        'inspect',
        id,
        '--format',
        '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}}{{end}}',
      ])
    ).split(' ')
    return new Container(id, address, address6)
  }

  /** Memory that containers share; `options` of the mount, such as `mode=1777`. */
  async memory(...mount: readonly string[]): Promise<string> {
    const name = `${this.#id}-memory-${this.#volumes.length}`
    const options = ['type=tmpfs', 'device=tmpfs', `o=${mount.join(',')}`]
    await run('docker', [
      'volume',
      'create',
      '--driver',
      'local',
      ...options.flatMap((option) => ['--opt', option]),
      name,
    ])
    this.#volumes.push(name)
    return name
  }

  async close(): Promise<void> {
    for (const id of this.#containers) await run('docker', ['rm', '--force', '--volumes', id])
    for (const name of this.#volumes) await run('docker', ['volume', 'rm', '--force', name])
    await run('docker', ['network', 'rm', this.#id])
    rmSync(this.directory, { recursive: true, force: true })
    await this.#endDocker()
  }
}

/** `gateway`, `gateway6`: this machine, as containers see it. */
export type NetworkAddresses = { readonly subnet: string; readonly gateway: string; readonly gateway6: string }

export class Container {
  readonly address: string
  readonly address6: string
  readonly #id: string

  constructor(id: string, address: string, address6: string) {
    this.#id = id
    this.address = address
    this.address6 = address6
  }

  async stop(): Promise<void> {
    await run('docker', ['kill', this.#id])
    await run('docker', ['wait', this.#id])
  }

  async start(): Promise<void> {
    await run('docker', ['start', this.#id])
  }

  async log(): Promise<string> {
    return await run('sh', ['-c', `docker logs --tail 30 '${this.#id}' 2>&1`])
  }

  /** Process 1 stands still, with its connections open; others can be started beside it. */
  async freeze(): Promise<void> {
    await run('docker', ['kill', '--signal', 'STOP', this.#id])
  }

  async exec(command: readonly string[]): Promise<void> {
    await run('docker', ['exec', this.#id, ...command])
  }

  /** Runs a health check of the stack file: `['CMD', …]`, with `$$` for a dollar sign. Resolves with its exit code. */
  async health(test: readonly string[]): Promise<number> {
    const words = test.slice(1).map((word) => word.replaceAll('$$', '$'))
    try {
      // In the container, for a client that is killed here ends with 0. Docker gives up on a check in the same way.
      await run('docker', ['exec', this.#id, 'timeout', '--signal', 'KILL', '8', ...words], { timeout_ms: 30_000 })
      return 0
    } catch (error) {
      const code = /: (\d+): /.exec((error as Error).message)?.[1]
      if (code === undefined) throw error
      return Number(code)
    }
  }
}

function mounts(files: Readonly<Record<string, string>>): string[] {
  return Object.entries(files).flatMap(([from, to]) => ['--volume', `${from}:${to}`])
}

function variables(environment: Readonly<Record<string, string>>): string[] {
  return Object.entries(environment).flatMap(([name, value]) => ['--env', `${name}=${value}`])
}

function say(line: string): void {
  process.stderr.write(`rendered: ${line}\n`)
}
