// The configuration of the load balancer (HAProxy 3.2): TLS, limits, a client's region, its next when that is not healthy, every process found by name and
// asked whether it is ready, and the window for people, scripts and Prometheus.

import { appServiceOf, INNER_PORTS, operatorServiceOf, REPLICAS_MAX, type Region, type Topology } from '../model.ts'
import { HAPROXY_LAYOUT, mapPathOf, socketOf } from './files.ts'

export function renderHaproxy(topology: Topology): string {
  const sections = [
    globalSection(topology),
    defaultsSection(),
    resolversSection(),
    limitTables(),
    redirectFrontend(topology),
    clientsFrontend(topology),
    ...topology.regions.map(appBackend),
    contentBackend(),
    nobodyBackend(),
    operationsFrontend(topology),
    figuresFrontend(),
    operatorsProxy(topology),
    ...(topology.monitoring === null ? [] : [prometheusProxy()]),
  ]
  return `# Rendered from topology.yml by \`wintrades render\`: change that. Read together with ${HAPROXY_LAYOUT.users}.\n\n${sections.join('\n')}`
}

/** A heading and its lines; an empty line stays empty. */
export function section(heading: string, ...lines: readonly string[]): string {
  return `${[heading, ...lines.map((line) => (line === '' ? '' : `  ${line}`))].join('\n')}\n`
}

/** An answer as the gateway gives it (the error catalogue of the API). */
function error(code: string, message: string, retryAfter_ms: number): string {
  return `content-type application/json string '${JSON.stringify({ error: { code, message, retryAfter_ms } })}'`
}

/** Of the API, public and seldom new. */
const REFERENCE = ['instruments', 'assets', 'shards'] as const

const LIMITED = error('RATE_LIMITED', 'Too many requests; retryAfter_ms says how long to wait.', 1_000)
const UNAVAILABLE = error(
  'REGION_UNAVAILABLE',
  'No healthy region can take the request; nothing was done. Try again.',
  1_000,
)
/** The request may have reached a process that then broke. */
const UNKNOWN = `content-type application/json string '${JSON.stringify({ error: { code: 'OUTCOME_UNKNOWN', message: 'No answer in time: it may or may not have happened. Send the same client id again, or ask for it, to learn the outcome.' } })}'`

function globalSection({ balancer }: Topology): string {
  return section(
    'global',
    'log stdout format raw local0',
    `maxconn ${balancer.connections_max}`,
    `stats socket unix@${HAPROXY_LAYOUT.sockets}/runtime.sock mode 600 level admin`,
    // A new one cannot have the port before this one has left: requests end in this time, and streams are resumed at the new one.
    'hard-stop-after 5s',
    'ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets',
    'ssl-default-bind-ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305',
    'ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256',
  )
}

function defaultsSection(): string {
  return section(
    'defaults',
    'mode http',
    'log global',
    // Requests are counted, and written only when something is wrong with them; without query, which may hold what is nobody's business.
    'option dontlognull',
    'option dontlog-normal',
    'log-format \'{"at":"%tr","client":"%ci","frontend":"%ft","backend":"%b","server":"%s","method":"%HM","path":"%HPO","status":%ST,"ms":%Ta,"end":"%tsc","retries":"%rc"}\'',
    'timeout connect 2s',
    'timeout client 30s',
    'timeout server 30s',
    'timeout queue 2s',
    'timeout http-request 10s',
    'timeout http-keep-alive 30s',
    // WebSocket: both sides ping far more often.
    'timeout tunnel 10m',
    'timeout client-fin 10s',
    'retries 3',
    'option redispatch 1',
    `http-error status 503 ${UNAVAILABLE} hdr Retry-After 1`,
    `http-error status 500 ${UNKNOWN}`,
    `http-error status 502 ${UNKNOWN}`,
    `http-error status 504 ${UNKNOWN}`,
  )
}

function resolversSection(): string {
  const holds = ['valid', 'nx', 'obsolete', 'other', 'refused', 'timeout'].map((kind) => `hold ${kind} 2s`)
  return section(
    'resolvers docker',
    'nameserver docker 127.0.0.11:53',
    'accepted_payload_size 8192',
    'resolve_retries 2',
    'timeout resolve 1s',
    'timeout retry 500ms',
    ...holds,
  )
}

function limitTables(): string {
  return [
    section('backend limit_addresses', 'stick-table type ipv6 size 200k expire 30s store http_req_rate(1s),conn_cur'),
    section('backend limit_keys', 'stick-table type binary len 32 size 200k expire 30s store http_req_rate(1s)'),
  ].join('\n')
}

function redirectFrontend({ ports }: Topology): string {
  const port = ports.https === 443 ? '' : `:${ports.https}`
  return section(
    'frontend redirect',
    ...bindClients(INNER_PORTS.clientsHttp),
    'http-request deny deny_status 400 unless { req.hdr(host) -m found }',
    `http-request redirect location https://%[req.hdr(host),host_only]${port}%[pathq] code 308`,
  )
}

/** Apart: on a socket of both, an IPv4 address looks like one of IPv6, and all of them like one /64. */
function bindClients(port: number, more = ''): readonly string[] {
  return [`bind :${port}${more}`, `bind :::${port} v6only${more}`]
}

function clientsFrontend(topology: Topology): string {
  const { regions, balancer } = topology
  return section(
    'frontend clients',
    ...bindClients(INNER_PORTS.clientsHttps, ` ssl crt ${HAPROXY_LAYOUT.certificate} alpn h2,http/1.1`),
    '',
    '# Limits, before anything else: of an address (of IPv6 its /64), of a key or token',
    'tcp-request connection track-sc0 src,ipmask(32,64) table limit_addresses',
    `tcp-request connection reject if { sc0_conn_cur gt ${balancer.connectionsPerAddress} }`,
    'http-request track-sc1 req.hdr(x-wt-key),sha2(256) table limit_keys if { req.hdr(x-wt-key) -m found }',
    'http-request track-sc1 req.hdr(authorization),sha2(256) table limit_keys if { req.hdr(authorization) -m found } !{ req.hdr(x-wt-key) -m found }',
    `http-request deny deny_status 429 ${LIMITED} hdr Retry-After 1 if { sc0_http_req_rate gt ${balancer.requestsPerSecondPerAddress} }`,
    `http-request deny deny_status 429 ${LIMITED} hdr Retry-After 1 if { sc1_http_req_rate gt ${balancer.requestsPerSecondPerKey} }`,
    '# Methods that mean something to what is behind, and to clients nothing',
    'http-request deny deny_status 405 unless { method GET HEAD POST PUT PATCH DELETE OPTIONS CONNECT }',
    '# Figures are for the operations network',
    'http-request deny deny_status 404 if { path /metrics }',
    '',
    '# What is said of the client is what is seen here',
    'http-request set-header X-Forwarded-For %[src]',
    'http-request set-header X-Forwarded-Proto https',
    'http-request del-header Forwarded',
    '',
    ...regionRules(topology),
    '',
    '# Public and the same for everybody: from the cache, if there is one',
    `acl is_public path / /index.html /favicon.ico /robots.txt /openapi.json ${REFERENCE.map((name) => `/api/v1/${name}`).join(' ')}`,
    'acl is_public path_beg /assets/ /docs /api/v1/market/',
    'acl is_personal req.hdr(authorization) -m found',
    'acl is_personal req.hdr(x-wt-key) -m found',
    'acl is_personal req.hdr(x-api-key) -m found',
    'acl is_personal req.hdr(upgrade) -m found',
    'use_backend content if { method GET HEAD } is_public !is_personal { nbsrv(content) ge 1 }',
    '',
    "# The client's region, or the next of its regions that has a process that is ready",
    ...regions.flatMap((region) => [region.name, ...region.next].map((candidate) => useRule(region.name, candidate))),
    'default_backend nobody',
    '',
    'http-response set-header Strict-Transport-Security max-age=31536000',
    'http-response set-header X-Content-Type-Options nosniff',
    'http-response set-header X-Frame-Options DENY',
    'http-response set-header Referrer-Policy no-referrer',
    'http-response del-header Server',
    'http-response del-header Via',
  )
}

/** `txn.region`: of the client's continent, its network, its own wish; and of that, whereto its clients are sent now. */
function regionRules({ regions, defaultRegion }: Topology): readonly string[] {
  const names = regions.map(({ name }) => name).join(' ')
  return [
    "# The client's region",
    `http-request set-var(txn.continent) src,map_ip(${mapPathOf('continents-4')},--)`,
    `http-request set-var(txn.continent) src,map_ip(${mapPathOf('continents-6')},--) if { src -m ip ::/0 } !{ src -m ip 0.0.0.0/0 }`,
    `http-request set-var(txn.home) var(txn.continent),map_str(${mapPathOf('regions')},${defaultRegion})`,
    `http-request set-var(txn.home) src,map_ip(${mapPathOf('networks')}) if { src,map_ip(${mapPathOf('networks')}) -m found }`,
    `http-request set-var(txn.home) req.hdr(x-wintrades-region) if { req.hdr(x-wintrades-region) -m str ${names} }`,
    '# A region that is being evacuated: its clients go where the map says',
    'http-request set-var(txn.region) var(txn.home)',
    `http-request set-var(txn.region) var(txn.home),map_str(${mapPathOf('overrides')}) if { var(txn.home),map_str(${mapPathOf('overrides')}) -m found }`,
    'http-request set-header X-WinTrades-Region %[var(txn.region)]',
  ]
}

function useRule(region: string, candidate: string): string {
  const backend = appServiceOf(candidate)
  return `use_backend ${backend} if { var(txn.region) -m str ${region} } { nbsrv(${backend}) ge 1 }`
}

function appBackend({ name }: Region): string {
  const service = appServiceOf(name)
  return section(
    `backend ${service}`,
    'balance leastconn',
    'option httpchk',
    'http-check send meth GET uri /health hdr Host localhost',
    // A process that stops says 404: it gets nothing new, and finishes what it has. Any other refusal is a process that is down.
    'http-check disable-on-404',
    // A process that is busy is not asked for more, and what it has been asked for it may still answer. One that cannot be reached any more is known by
    // its machine's silence, whatever it does: then who waits for it is told so, and a stream ends.
    'timeout check 2s',
    'option srvtcpka',
    'srvtcpka-idle 3s',
    'srvtcpka-intvl 1s',
    'srvtcpka-cnt 3',
    // An order is sent again only where it cannot have arrived.
    'retry-on conn-failure empty-response',
    'http-request disable-l7-retry unless { method GET HEAD }',
    'default-server check inter 1s fastinter 300ms downinter 1s fall 2 rise 1 resolvers docker init-addr none init-state down resolve-prefer ipv4 tcp-ut 6s',
    `server-template ${service}_ 1-${REPLICAS_MAX} ${service}:${INNER_PORTS.http}`,
    `http-response set-header X-WinTrades-Region ${name}`,
  )
}

function contentBackend(): string {
  return section(
    'backend content',
    // The same address at the same cache, so that each is fetched once.
    'balance uri',
    'hash-type consistent',
    'option httpchk',
    'http-check send meth GET uri /cache-health hdr Host localhost',
    'retry-on conn-failure empty-response',
    'default-server check inter 1s fastinter 300ms downinter 1s fall 2 rise 1 resolvers docker init-addr none init-state down resolve-prefer ipv4',
    `server-template cdn_cache_ 1-${REPLICAS_MAX} cdn_cache:${INNER_PORTS.content}`,
    'http-response del-header X-Varnish',
  )
}

function nobodyBackend(): string {
  return section('backend nobody', `http-request return status 503 ${UNAVAILABLE} hdr Retry-After 1`)
}

/** Statistics, and the overrides: `GET /overrides/us-east`, `PUT /overrides/us-east/eu-west`, `DELETE /overrides/us-east`. */
function operationsFrontend({ regions }: Topology): string {
  const any = regions.map(({ name }) => name).join('|')
  const map = mapPathOf('overrides')
  const from = '%[path,field(3,/)]'
  const answer = (value: string) => `content-type application/json lf-string '{"region":"${from}","sentTo":"${value}"}'`
  // A balancer that has just started: nobody has told it yet, and the operators will.
  const untold = `content-type application/json lf-string '{"region":"${from}","sentTo":null}'`
  return section(
    'frontend operations',
    `bind :${INNER_PORTS.stats}`,
    `bind ${socketOf('stats')} mode 600`,
    'http-request auth realm WinTrades unless { http_auth(operations) }',
    `acl is_pair path_reg ^/overrides/(${any})/(${any})$`,
    `acl is_one path_reg ^/overrides/(${any})$`,
    `http-request set-map(${map}) ${from} %[path,field(4,/)] if { method PUT } is_pair`,
    `http-request return status 200 ${answer('%[path,field(4,/)]')} if { method PUT } is_pair`,
    `http-request del-map(${map}) ${from} if { method DELETE } is_one`,
    `http-request return status 200 ${untold} if { method DELETE } is_one`,
    `http-request return status 200 ${answer(`%[path,field(3,/),map_str(${map})]`)} if { method GET } is_one { path,field(3,/),map_str(${map}) -m found }`,
    `http-request return status 200 ${untold} if { method GET } is_one`,
    `http-request return status 404 content-type text/plain string "overrides are of regions: ${any.replaceAll('|', ', ')}" if { path_beg /overrides }`,
    'stats enable',
    'stats uri /',
    'stats refresh 5s',
    'stats show-legends',
    'stats hide-version',
  )
}

function figuresFrontend(): string {
  return section(
    'frontend figures',
    `bind :${INNER_PORTS.balancerMetrics}`,
    'http-request use-service prometheus-exporter if { path /metrics }',
    'http-request return status 200 content-type text/plain string "alive" if { path /health }',
    'http-request return status 404 content-type text/plain string "there are /metrics and /health"',
  )
}

/** For the operations door: an operator that answers, whichever. */
function operatorsProxy({ regions }: Topology): string {
  const servers = regions.map(({ name }) => {
    const service = operatorServiceOf(name)
    return `server ${service} ${service}:${INNER_PORTS.operator}`
  })
  return section(
    'listen operator',
    `bind ${socketOf('operator')} mode 600`,
    'balance first',
    'option httpchk',
    'http-check send meth GET uri /health/live hdr Host localhost',
    // Its commands answer when they are done.
    'timeout server 24h',
    'default-server check inter 2s fall 2 rise 1 resolvers docker init-addr none init-state down resolve-prefer ipv4',
    ...servers,
  )
}

function prometheusProxy(): string {
  return section(
    'listen prometheus',
    `bind ${socketOf('prometheus')} mode 600`,
    'default-server check inter 2s resolvers docker init-addr none init-state down resolve-prefer ipv4',
    `server prometheus prometheus:${INNER_PORTS.prometheus}`,
  )
}
