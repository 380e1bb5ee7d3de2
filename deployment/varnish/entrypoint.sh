#!/bin/bash
# Process 1 of a Varnish container: runs varnishd, and tells it where the app processes are now. Their names are looked up all the time, since Varnish
# takes addresses only as they were when a configuration was loaded. What is cached outlives every such change.
set -u -o pipefail

readonly CONFIGURATION=${VARNISH_CONFIGURATION:-/etc/wintrades/default.vcl}
# `host:port …`: each a service with any number of processes.
readonly ORIGINS=${VARNISH_ORIGINS:?say VARNISH_ORIGINS: host:port of every service to fetch from, with spaces between}
readonly MEMORY_MB=${VARNISH_MEMORY_MB:-256}
readonly PORT=${VARNISH_PORT:-8081}
readonly OPERATIONS_PORT=${VARNISH_OPERATIONS_PORT:-8082}
readonly WORK=${VARNISH_WORK:-/var/lib/varnish/wintrades}
readonly INCLUDED=${VARNISH_INCLUDED:-/var/lib/varnish/origins}
readonly ADDRESSES_MAX=64
readonly LOOK_SECONDS=2
readonly PROBES_SECONDS=2

say() { printf '%s [entrypoint] %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$1"; }
fail() { say "$1" >&2; exit 1; }

# `service address port`, sorted: one line for each process that has a name now.
look_up() {
  local origin host port
  for origin in $ORIGINS; do
    host=${origin%:*} port=${origin##*:}
    getent ahostsv4 "$host" | awk -v service="$host" -v port="$port" '$2 == "STREAM" { print service, $1, port }'
  done | sort -u | head -n "$ADDRESSES_MAX"
}

# VCL: a backend for each process, and for each service a director that takes its healthy ones in turn. A service without processes has an empty one.
render() {
  local service address port origin number=0
  while read -r service address port; do
    [ -n "$service" ] || continue
    number=$((number + 1))
    printf 'backend %s_%s { .host = "%s"; .port = "%s"; .probe = ready; .connect_timeout = 1s; .first_byte_timeout = 10s; .between_bytes_timeout = 10s; }\n' \
      "$service" "$number" "$address" "$port"
  done <<<"$1"
  printf 'sub vcl_init {\n'
  for origin in $ORIGINS; do printf '  new origin_%s = directors.round_robin();\n' "${origin%:*}"; done
  number=0
  while read -r service address port; do
    [ -n "$service" ] || continue
    number=$((number + 1))
    printf '  origin_%s.add_backend(%s_%s);\n' "$service" "$service" "$number"
  done <<<"$1"
  printf '}\n'
}

# A configuration is compiled, which takes long where the machine is busy.
administer() { varnishadm -n "$WORK" -t 60 "$@"; }

# Every process of a configuration has said that it may be used, or has had its time.
await_probes() {
  local until=$((SECONDS + PROBES_SECONDS))
  while [ "$SECONDS" -lt "$until" ] && administer backend.list "$1.*" | grep -q ' sick '; do pause 0.1; done
}

# Loads the configuration with the addresses of now, then lets go of the one before.
load() {
  local name=origins_$1 before=$2
  administer vcl.load "$name" "$CONFIGURATION" >/dev/null || return 1
  await_probes "$name"
  administer vcl.use "$name" >/dev/null || return 1
  administer vcl.discard "$before" >/dev/null || say "the configuration $before is still in use"
}

child=0
stop() {
  if [ "$child" != 0 ]; then kill -TERM "$child" 2>/dev/null; fi
  exit 0
}

# Waits without starting a process, and wakes for a signal.
pause() { read -r -t "$1" -u 9 _ || true; }

main() {
  local known found number=0 used=boot
  [ -r "$CONFIGURATION" ] || fail "the configuration $CONFIGURATION is missing: mount it there"
  mkdir -p "$INCLUDED" "$WORK" || fail "cannot write below $(dirname "$INCLUDED"): mount memory there from which programs may be run"
  mkfifo "$INCLUDED/pause" 2>/dev/null || [ -p "$INCLUDED/pause" ] || fail "cannot make $INCLUDED/pause"
  exec 9<>"$INCLUDED/pause"
  trap stop TERM INT
  known=$(look_up)
  # Without a process yet there is nothing that the probe is for: `err_unref` would refuse that.
  render "$known" >"$INCLUDED/origins.vcl"
  varnishd -F -j none -n "$WORK" -f "$CONFIGURATION" -a "clients=:$PORT,HTTP" -a "operations=:$OPERATIONS_PORT,HTTP" \
    -s "malloc,${MEMORY_MB}M" -p vcc_feature=-err_unref -p "vcl_path=$INCLUDED:$(dirname "$CONFIGURATION")" -p thread_pool_min=20 -p thread_pool_max=1000 &
  child=$!
  while kill -0 "$child" 2>/dev/null; do
    pause "$LOOK_SECONDS"
    found=$(look_up)
    [ "$found" != "$known" ] || continue
    render "$found" >"$INCLUDED/origins.vcl"
    number=$((number + 1))
    if load "$number" "$used"; then
      known=$found used=origins_$number
      say "fetches from $(wc -l <<<"$found") processes"
    else
      say "the configuration could not be loaded; trying again" >&2
      administer vcl.discard "origins_$number" >/dev/null 2>&1 || true
    fi
  done
  wait "$child"
  exit $?
}

if [ "${1:-}" = render ]; then render "$(look_up)"; else main; fi
