#!/bin/bash
# Process 1 of a MySQL server's container: makes the data directory if there is none, runs mysqld, and does what mysqld cannot do to itself:
# restart after a clone, and be killed (SIGKILL, never a clean shutdown, which would end its commits' wait for an acknowledgement with an OK).
# Everything else that ends mysqld ends the container too, with the same code: the service's restart policy (`any`) decides.
set -u -o pipefail

readonly CONFIGURATION=${MYSQL_CONFIGURATION:-/etc/wintrades/mysql.cnf}
readonly INITIALISE_SQL=${MYSQL_INITIALISE_SQL:-/etc/wintrades/initialise.sql}
readonly SECRETS=${MYSQL_SECRETS:-/run/secrets}
readonly TLS_SOURCE=${MYSQL_TLS:-/run/secrets}
readonly VOLUME=/var/lib/mysql
readonly DATA=$VOLUME/data
readonly UNFINISHED=$VOLUME/unfinished
readonly RUNTIME=/run/mysqld
readonly REQUESTS=$RUNTIME/requests
readonly TLS=$RUNTIME/tls
# What `RESTART` makes mysqld exit with, which the end of a clone calls.
readonly EXIT_RESTART=16
readonly LOOK_SECONDS=0.2
readonly LOOKS_PER_TLS_LOOK=25

say() { printf '%s [entrypoint] %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$1"; }
fail() { say "$1" >&2; exit 1; }

# The folders that must be there and belong to mysqld's user. /run is memory, so nothing in it outlives a container.
prepare_folders() {
  umask 077
  mkdir -p "$VOLUME" "$RUNTIME" "$REQUESTS" "$TLS" || fail "cannot make $VOLUME or $RUNTIME: mount a writable volume at $VOLUME"
  if [ "$(id -u)" = 0 ]; then
    chown mysql:mysql "$VOLUME" "$RUNTIME" "$REQUESTS" "$TLS" || fail "cannot give $VOLUME to the user mysql"
  fi
}

# The private authority's certificate, this server's own and its key, where mysqld's user alone can read them.
copy_tls() {
  local name
  for name in ca.pem server.pem server.key; do
    [ "$TLS_SOURCE/$name" -nt "$TLS/$name" ] || continue
    if ! cp "$TLS_SOURCE/$name" "$TLS/$name.new"; then
      say "cannot read $TLS_SOURCE/$name: make them with 'wintrades db certificates' and mount ca.pem, server.pem and server.key there" >&2
      return 1
    fi
    chmod 600 "$TLS/$name.new"
    if [ "$(id -u)" = 0 ]; then chown mysql:mysql "$TLS/$name.new"; fi
    mv "$TLS/$name.new" "$TLS/$name"
  done
}

# initialise.sql with each @NAME@ replaced by the content of the secret file NAME. Never in an argument or the environment.
render_initialise_sql() {
  local line name secret
  while IFS= read -r line || [ -n "$line" ]; do
    while [[ $line =~ @(mysql_[a-z_]+)@ ]]; do
      name=${BASH_REMATCH[1]}
      [ -r "$SECRETS/$name" ] || fail "the secret file $SECRETS/$name is missing: it holds that account's password"
      secret=$(<"$SECRETS/$name")
      [[ $secret =~ ^[A-Za-z0-9_-]{16,128}$ ]] ||
        fail "the secret file $SECRETS/$name must hold 16 to 128 characters of A-Z, a-z, 0-9, _ and -, on one line"
      line=${line//"@$name@"/$secret}
    done
    printf '%s\n' "$line"
  done <"$INITIALISE_SQL"
}

# A data directory appears under its name only when it is complete, so that a start that was interrupted is begun again.
initialise() {
  [ -d "$DATA/mysql" ] && return
  if [ -d "$DATA" ] && [ -n "$(ls -A "$DATA")" ]; then
    fail "$DATA is not empty and holds no MySQL server: move what is there away, nothing was changed"
  fi
  say "the volume is empty: making a new data directory"
  rm -rf "$UNFINISHED"
  local sql=$RUNTIME/initialise.sql
  render_initialise_sql >"$sql" || exit 1
  if [ "$(id -u)" = 0 ]; then chown mysql:mysql "$sql"; fi
  mysqld --defaults-file="$CONFIGURATION" --datadir="$UNFINISHED" --read-only=OFF --super-read-only=OFF \
    --initialize-insecure --init-file="$sql" || { rm -f "$sql"; fail "the data directory could not be made: see the lines above"; }
  rm -f "$sql"
  rm -rf "$DATA"
  sync
  mv "$UNFINISHED" "$DATA"
  sync
}

# Of initialise.sql, what gives the accounts their passwords, for accounts that are there.
render_passwords_sql() {
  local line inside=no
  printf 'SET sql_log_bin = 0;\n'
  while IFS= read -r line; do
    if [[ $line == 'CREATE USER '* ]]; then
      inside=yes
      line="ALTER ${line#CREATE }"
    fi
    if [ "$inside" = yes ]; then printf '%s\n' "$line"; fi
    if [[ $line == *';' ]]; then inside=no; fi
  done
}

# A data directory that was restored from a backup has the passwords of the deployment that it came from. It is given this one's, unlogged, by a server that
# nobody reaches; the mark goes when that is done, so that a start that was interrupted does it again.
adopt_restored() {
  [ -e "$VOLUME/restored" ] || return
  say "the data is from a backup: its accounts get the passwords of this deployment"
  if [ "$(id -u)" = 0 ]; then chown -R mysql:mysql "$DATA"; fi
  local sql=$RUNTIME/accounts.sql server
  render_initialise_sql | render_passwords_sql >"$sql" || exit 1
  mysqld --defaults-file="$CONFIGURATION" --skip-networking --skip-replica-start --read-only=OFF --super-read-only=OFF &
  server=$!
  until mysqladmin --no-defaults --socket="$RUNTIME/mysqld.sock" ping >/dev/null 2>&1; do
    kill -0 "$server" 2>/dev/null || fail "the restored data directory is none that a server can start on: see the lines above"
    sleep "$LOOK_SECONDS"
  done
  mysql --no-defaults --socket="$RUNTIME/mysqld.sock" --user=root <"$sql" || fail "the accounts of the restored data could not be changed: see the line above"
  rm -f "$sql"
  mysqladmin --no-defaults --socket="$RUNTIME/mysqld.sock" --user=root shutdown || fail "the server with the restored data did not stop"
  wait "$server"
  # The server that the backup was made from may be among the others.
  rm -f "$DATA/auto.cnf" "$VOLUME/restored"
  sync
}

child=0
asked_to_stop=no
stop() {
  asked_to_stop=yes
  if [ "$child" != 0 ]; then kill -TERM "$child" 2>/dev/null; fi
}

start_mysqld() {
  # What a killed server left behind would keep the next one from starting.
  rm -f "$RUNTIME"/*.lock "$RUNTIME"/*.sock "$RUNTIME"/*.pid "$REQUESTS"/*
  MYSQLD_PARENT_PID=$$ mysqld --defaults-file="$CONFIGURATION" &
  child=$!
  if [ "$asked_to_stop" = yes ]; then kill -TERM "$child"; fi
}

# Waits without starting a process: reading from a pipe that nobody writes to.
pause() { read -r -t "$LOOK_SECONDS" -u 9 _ || true; }

# Until mysqld has ended. Sets `code` and `was_killed`.
watch_mysqld() {
  local looks=0
  was_killed=no
  while kill -0 "$child" 2>/dev/null; do
    if [ -e "$REQUESTS/kill" ]; then
      say "killed at the operator's request: $(head -c 200 "$REQUESTS/kill")"
      was_killed=yes
      kill -KILL "$child"
      break
    fi
    looks=$((looks + 1))
    if [ $((looks % LOOKS_PER_TLS_LOOK)) = 0 ]; then copy_tls; fi
    pause
  done
  wait "$child"
  code=$?
  child=0
}

main() {
  [ -r "$CONFIGURATION" ] || fail "the server's configuration $CONFIGURATION is missing: mount it there"
  prepare_folders
  copy_tls || exit 1
  initialise
  adopt_restored
  mkfifo "$RUNTIME/pause" 2>/dev/null || [ -p "$RUNTIME/pause" ] || fail "cannot make $RUNTIME/pause"
  exec 9<>"$RUNTIME/pause"
  trap stop TERM INT
  while true; do
    start_mysqld
    watch_mysqld
    if [ "$asked_to_stop" = yes ]; then exit "$code"; fi
    if [ "$was_killed" = yes ]; then continue; fi
    [ "$code" = "$EXIT_RESTART" ] || exit "$code"
    # A clone brings the donor's history to this directory. Under its old uuid the server would number its transactions from where it once was.
    rm -f "$DATA/auto.cnf"
    say "restarting after a clone, with a new server uuid"
  done
}

main
