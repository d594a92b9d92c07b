#!/usr/bin/env bash
# Builds the hosts of the torture in C and in Go into `.build/torture`. Without a compiler there is no such host: an error
# where CI=true, one line elsewhere.
set -euo pipefail
cd "$(dirname "$0")/../.."
missing() {                         # missing LANGUAGE COMPILER
  echo "the torture has no host in $1: there is no \`$2\` on this machine" >&2
  if [ "${CI:-}" = true ]; then exit 1; fi
}
library=$(readlink -m "${CARGO_TARGET_DIR:-target}")/debug/librollkeeper.a
hosts=$PWD/.build/torture
# With the tests, so that everything is what was already built for them.
cargo build --quiet --workspace --exclude rollkeeper-python --lib --bins --tests --locked
mkdir -p "$hosts" ffi/go/lib
rm -f "$hosts"/host-*
if command -v cc > /dev/null; then
  cc -std=c11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Wpedantic -Werror -Iinclude -Iffi/tests/c \
    tests/torture/host.c "$library" -lm -ldl -lpthread -o "$hosts/host-c"
else
  missing C cc
fi
if command -v go > /dev/null; then
  cp -f "$library" "ffi/go/lib/new.$$"
  mv -f "ffi/go/lib/new.$$" ffi/go/lib/librollkeeper.a      # at once: somebody may be linking it
  cd tests/torture/host_go
  go vet ./...
  go build -o "$hosts/host-go" .
else
  missing Go go
fi
