// The edge of a deployment, running: load balancer, operations door and cache from their rendered files, and in place of each app process a small server
// that says who it is. Every answer is a new one, so that one that was kept can be told.

import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { HAPROXY_LAYOUT, INNER_PORTS } from '@wintrades/topology'
import { type Container, type Ground, PASSWORD } from './ground.ts'

export type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

export type Ask = {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** As `operations`. */
  readonly asOperations?: boolean
}

const HAPROXY_USER = '99'
const VARNISH_USER = '10002:10002'

/** An app process as far as the edge sees it: ready until `/drain`, and as good as broken after `/break`. */
function standIn(name: string): string {
  return `global
  log stdout format raw local0
defaults
  mode http
  timeout connect 2s
  timeout client 30s
  timeout server 30s
frontend app
  bind :${INNER_PORTS.http}
  http-request set-var(proc.state) str(draining) if { path /drain }
  http-request set-var(proc.state) str(broken) if { path /break }
  http-request return status 404 if { path /health } { var(proc.state) -m str draining }
  http-request return status 503 if { path /health } { var(proc.state) -m str broken }
  http-request return status 200 content-type text/plain hdr X-Origin ${name} hdr Set-Cookie a=b lf-string "${name} %[method] %[req.hdr(x-forwarded-for)] %[uuid()]"
`
}

export class Edge {
  readonly ground: Ground
  readonly balancer: Container
  readonly cache: Container
  readonly door: Container

  private constructor(ground: Ground, parts: { balancer: Container; cache: Container; door: Container }) {
    this.ground = ground
    this.balancer = parts.balancer
    this.cache = parts.cache
    this.door = parts.door
  }

  static async start(ground: Ground): Promise<Edge> {
    const secrets = await ground.secrets('global_loadbalancer')
    const sockets = await ground.memory('size=1m', `uid=${HAPROXY_USER}`, `gid=${HAPROXY_USER}`, 'mode=0700')
    const content = await ground.memory('size=128m', 'mode=1777')
    const flags = ['--read-only', '--user', `${HAPROXY_USER}:${HAPROXY_USER}`, '--cap-drop', 'ALL']
    const balancer = await ground.start({
      image: 'haproxy',
      names: ['global_loadbalancer'],
      files: {
        [ground.at('deployment/haproxy/haproxy.cfg')]: '/haproxy.cfg:ro',
        [ground.at('deployment/haproxy/maps')]: `${HAPROXY_LAYOUT.maps}:ro`,
        [secrets]: '/run/secrets:ro',
        [sockets]: HAPROXY_LAYOUT.sockets,
      },
      flags,
      command: ['haproxy', '-W', '-db', '-f', HAPROXY_LAYOUT.users, '-f', '/haproxy.cfg'],
    })
    const door = await ground.start({
      image: 'haproxy',
      files: {
        [ground.at('deployment/haproxy/operations-door.cfg')]: '/door.cfg:ro',
        [sockets]: HAPROXY_LAYOUT.sockets,
      },
      flags: [...flags, '--network', 'host'],
      command: ['haproxy', '-W', '-db', '-f', '/door.cfg'],
    })
    const cache = await ground.start({
      image: 'varnish',
      names: ['cdn_cache'],
      files: { [ground.at('deployment/varnish')]: '/etc/wintrades:ro', [content]: '/var/lib/varnish' },
      environment: ground.stack.services['cdn_cache']?.environment ?? {},
      flags: ['--user', VARNISH_USER, '--cap-drop', 'ALL'],
      command: ['/etc/wintrades/entrypoint.sh'],
    })
    return new Edge(ground, { balancer, cache, door })
  }

  /** A process of `app_us_east`, for example. */
  async app(service: string, name = service): Promise<Container> {
    const file = this.ground.write(`stand-ins/${name}.cfg`, standIn(name))
    return await this.ground.start({
      image: 'haproxy',
      names: [service],
      files: { [file]: '/app.cfg:ro' },
      command: ['haproxy', '-W', '-db', '-f', '/app.cfg'],
    })
  }

  /** As a client, by HTTPS. */
  client(path: string, ask: Ask = {}): Promise<Answer> {
    return this.#ask(`https://${this.balancer.address}:${INNER_PORTS.clientsHttps}${path}`, ask)
  }

  /** As a client that comes over IPv6. */
  client6(path: string, ask: Ask = {}): Promise<Answer> {
    return this.#ask(`https://[${this.balancer.address6}]:${INNER_PORTS.clientsHttps}${path}`, ask)
  }

  http(host: string, port: number, path: string, ask: Ask = {}): Promise<Answer> {
    return this.#ask(`http://${host}:${port}${path}`, ask)
  }

  #ask(url: string, { method = 'GET', headers = {}, asOperations = false }: Ask): Promise<Answer> {
    const send = url.startsWith('https:') ? requestHttps : requestHttp
    const auth = asOperations ? { auth: `operations:${PASSWORD}` } : {}
    return new Promise((resolve, reject) => {
      const request = send(
        url,
        { method, headers, agent: false, rejectUnauthorized: false, timeout: 10_000, ...auth },
        (response) => {
          let text = ''
          response.setEncoding('utf8')
          response.on('data', (chunk: string) => {
            text += chunk
          })
          response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
          response.once('error', reject)
        },
      )
      request.once('timeout', () => request.destroy(new Error(`no answer from ${url}`)))
      request.once('error', reject)
      request.end()
    })
  }
}
