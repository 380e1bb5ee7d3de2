#!/bin/bash
# Process 1 of a Redis node's container: makes the file of users from secret files, then becomes redis-server. Passwords are never in an
# argument or the environment, and the file of users holds only their digests. With REDIS_LEAVE_SECONDS it stays before the server, and lets it end only when
# others serve what it serves, or that time is over.
set -u -o pipefail

readonly CONFIGURATION=${REDIS_CONFIGURATION:-/etc/wintrades/redis.conf}
readonly SECRETS=${REDIS_SECRETS:-/run/secrets}
readonly TLS_SOURCE=${REDIS_TLS:-/run/secrets}
# Starts every key of the platform, as REDIS_PREFIX of the app.
readonly PREFIX=${REDIS_PREFIX:-wintrades:}
readonly LEAVE_SECONDS=${REDIS_LEAVE_SECONDS:-0}
readonly DATA=/var/lib/redis
readonly RUNTIME=/run/redis
readonly TLS=$RUNTIME/tls

say() { printf '%s [entrypoint] %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$1"; }
fail() { say "$1" >&2; exit 1; }

# What each user may do, and no more. The app: keys of its own prefix, and what a cluster client asks.
readonly APP="~$PREFIX* -@all +get +set +unlink +eval +evalsha +time +ping +info +readonly +asking +hello +quit +client|setname +client|setinfo +cluster|slots +cluster|shards +cluster|info +cluster|nodes +cluster|myid"
readonly OPERATOR="~* -@all +cluster +info +ping +dbsize +readonly +asking +hello +quit +select +client|setname +client|setinfo +client|list +client|kill +client|pause +client|unpause +migrate +restore +restore-asking +flushall +acl|whoami"
readonly REPLICATION="-@all +psync +replconf +ping"
readonly EXPORTER="-@all +info +ping +hello +quit +select +dbsize +client|setname +client|setinfo +client|list +cluster|info +cluster|slots +slowlog|get +slowlog|len +latency|latest +latency|histogram +config|get"

# One password, checked: 16 to 128 characters that need no quoting anywhere.
password() {
  local file=$SECRETS/$1 secret
  [ -r "$file" ] || fail "the secret file $file is missing: it holds that user's password"
  secret=$(<"$file")
  [[ $secret =~ ^[A-Za-z0-9_-]{16,128}$ ]] ||
    fail "the secret file $file must hold 16 to 128 characters of A-Z, a-z, 0-9, _ and -, on one line"
  printf '%s' "$secret"
}

digest() {
  local secret
  secret=$(password "$1") || exit 1
  printf '%s' "$secret" | sha256sum | cut -d ' ' -f 1
}

# A user has two passwords, of which either is good: they are changed in turn, without anybody being shut out.
user() {
  local name=$1 rules=$2 first second
  first=$(digest "redis_${name}_a") && second=$(digest "redis_${name}_b") || exit 1
  printf 'user wintrades_%s on #%s #%s resetkeys resetchannels %s\n' "$name" "$first" "$second" "$rules"
}

render_users() {
  printf 'user default off resetpass resetkeys resetchannels -@all\n'
  user app "$APP" || exit 1
  user operator "$OPERATOR" || exit 1
  user replication "$REPLICATION" || exit 1
  user exporter "$EXPORTER" || exit 1
}

render_secrets() {
  local secret
  secret=$(password redis_replication_a) || exit 1
  printf 'masteruser wintrades_replication\nmasterauth %s\n' "$secret"
}

copy_tls() {
  local name
  grep -q '^tls-port' "$CONFIGURATION" || return 0
  for name in ca.pem server.pem server.key; do
    cp "$TLS_SOURCE/$name" "$TLS/$name" ||
      fail "cannot read $TLS_SOURCE/$name: make them with 'wintrades db certificates' and mount ca.pem, server.pem and server.key there"
  done
}

[[ $LEAVE_SECONDS =~ ^[0-9]{1,4}$ ]] || fail "REDIS_LEAVE_SECONDS must be a number of seconds, not $LEAVE_SECONDS"
[ -r "$CONFIGURATION" ] || fail "the node's configuration $CONFIGURATION is missing: mount it there"
umask 077
mkdir -p "$DATA" "$RUNTIME" "$TLS" || fail "cannot make $DATA or $RUNTIME: mount a writable volume at $DATA"
users=$(render_users) || exit 1
secrets=$(render_secrets) || exit 1
printf '%s\n' "$users" >"$RUNTIME/users.acl"
printf '%s\n' "$secrets" >"$RUNTIME/secrets.conf"
cp "$CONFIGURATION" "$RUNTIME/redis.conf"
copy_tls
server=(redis-server "$RUNTIME/redis.conf")
if [ "$(id -u)" = 0 ]; then
  chown -R redis:redis "$DATA" "$RUNTIME" || fail "cannot give $DATA to the user redis"
  server=(setpriv --reuid=redis --regid=redis --clear-groups "${server[@]}")
fi
[ "$LEAVE_SECONDS" = 0 ] && exec "${server[@]}"

# Asks the node over the connection that `leave` has opened; answers with the lines of what it says.
ask() {
  local line
  printf '%s\nPING\n' "$1" >&9 || return 1
  while read -r -t 5 -u 8 line; do
    [ "$line" = PONG ] && return 0
    printf '%s\n' "$line"
  done
  return 1
}

# Whether anybody would miss it: a replica, or a master without slots, is not missed. Nor can it be helped where no operator is.
serves_alone() {
  local clients own
  clients=$(ask 'CLIENT LIST TYPE normal') || return 1
  [[ $clients == *' name=wintrades-operator:'* ]] || return 1
  own=$(ask 'CLUSTER NODES' | grep myself) || return 1
  [[ $own == *slave* ]] && return 1
  # Behind the eight words that each node has come its slots.
  [ "$(wc -w <<<"$own")" -gt 8 ]
}

# The operators see a connection of this name, give the node's slots to others, and then it ends.
leave() {
  local port tls=() deadline=$((SECONDS + LEAVE_SECONDS))
  port=$(sed -n 's/^tls-port //p' "$CONFIGURATION")
  if [ -n "$port" ]; then tls=(--tls --cacert "$TLS/ca.pem"); else port=$(sed -n 's/^port //p' "$CONFIGURATION"); fi
  coproc node { exec redis-cli -h 127.0.0.1 -p "$port" "${tls[@]}" 2>/dev/null; }
  # Under numbers that pipelines have too.
  exec 8<&"${node[0]}" 9>&"${node[1]}"
  { printf 'AUTH wintrades_operator '; password redis_operator_a; printf '\nCLIENT SETNAME wintrades-leaving\n'; } >&9
  say "told to end: waiting until others serve what this node serves, at most $LEAVE_SECONDS s"
  while [ "$SECONDS" -lt "$deadline" ] && serves_alone; do sleep 0.3; done
  say 'ending'
}

told=no
trap 'told=yes' TERM INT
"${server[@]}" &
server_id=$!
wait "$server_id"
code=$?
if [ "$told" = yes ]; then
  leave
  kill -TERM "$server_id" 2>/dev/null
  wait "$server_id"
  code=$?
fi
exit "$code"
