#!/bin/bash
# Process 1 of a Redis node's container: makes the file of users from secret files, then becomes redis-server. Passwords are never in an
# argument or the environment, and the file of users holds only their digests.
set -u -o pipefail

readonly CONFIGURATION=${REDIS_CONFIGURATION:-/etc/wintrades/redis.conf}
readonly SECRETS=${REDIS_SECRETS:-/run/secrets}
readonly TLS_SOURCE=${REDIS_TLS:-/run/secrets}
# Starts every key of the platform, as REDIS_PREFIX of the app.
readonly PREFIX=${REDIS_PREFIX:-wintrades:}
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

[ -r "$CONFIGURATION" ] || fail "the node's configuration $CONFIGURATION is missing: mount it there"
umask 077
mkdir -p "$DATA" "$RUNTIME" "$TLS" || fail "cannot make $DATA or $RUNTIME: mount a writable volume at $DATA"
users=$(render_users) || exit 1
secrets=$(render_secrets) || exit 1
printf '%s\n' "$users" >"$RUNTIME/users.acl"
printf '%s\n' "$secrets" >"$RUNTIME/secrets.conf"
cp "$CONFIGURATION" "$RUNTIME/redis.conf"
copy_tls
if [ "$(id -u)" = 0 ]; then
  chown -R redis:redis "$DATA" "$RUNTIME" || fail "cannot give $DATA to the user redis"
  exec setpriv --reuid=redis --regid=redis --clear-groups redis-server "$RUNTIME/redis.conf"
fi
exec redis-server "$RUNTIME/redis.conf"
