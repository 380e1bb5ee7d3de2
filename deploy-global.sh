#!/bin/sh
# deploy-global.sh [environment] [region]: the whole platform, or one region of it, on Docker Swarm. The same as `wintrades deploy`, which has a --help.
set -eu

here=$(CDPATH='' cd "$(dirname "$0")" && pwd -P)
environment=${1:-production}
region=${2:-all}
[ "$#" -lt 2 ] || shift
[ "$#" -lt 1 ] || shift

for program in docker node npm; do
  command -v "$program" >/dev/null 2>&1 || {
    printf 'deploy-global: %s is missing on this machine: install it and start again (docs/operations.md)\n' "$program" >&2
    exit 1
  }
done
exec "$here/wintrades" deploy "$environment" "$region" "$@"
