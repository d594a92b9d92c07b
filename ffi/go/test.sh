#!/usr/bin/env bash
# Builds the static library, puts it where the Go package looks for it, and runs the package's vet and tests with the race
# detector. Without `go` there is nothing to test: an error where CI=true, one line elsewhere.
set -euo pipefail
cd "$(dirname "$0")/../.."
if ! command -v go > /dev/null; then
  echo "ffi/go is not tested: there is no \`go\` on this machine" >&2
  if [ "${CI:-}" = true ]; then exit 1; else exit 0; fi
fi
# With the tests, so that everything is what was already built for them.
cargo build --workspace --exclude rollkeeper-python --lib --bins --tests --locked
mkdir -p ffi/go/lib
cp -f "${CARGO_TARGET_DIR:-target}/debug/librollkeeper.a" "ffi/go/lib/new.$$"
mv -f "ffi/go/lib/new.$$" ffi/go/lib/librollkeeper.a      # at once: somebody may be linking it
cd ffi/go
go vet ./...
# Go does not notice that the library has changed, and would show the last result again.
go test -race -count=1 ./...
