#!/usr/bin/env bash
# Every test in every language. What waits for a network, a server or another process runs beside what computes, so that two
# cores have something to do; its output comes when it has ended. The first part that fails ends the whole.
set -euo pipefail
cd "$(dirname "$0")/.."
said=.build/said
mkdir -p "$said"
declare -A running

beside() {                          # beside NAME COMMAND…: begins, and goes on
  local name=$1; shift
  "$@" > "$said/$name" 2>&1 &
  running[$name]=$!
}

ended() {                           # ended NAME: waits, and tells what it said
  local failed=0
  wait "${running[$1]}" || failed=$?
  echo "== $1"
  cat "$said/$1"
  unset "running[$1]"
  return "$failed"
}

# Nothing that was begun goes on after a failure.
trap 'for name in "${!running[@]}"; do kill "${running[$name]}" 2>/dev/null || true; done' EXIT

crates=(--workspace --exclude rollkeeper-python --locked)
beside servers tests/servers/install.sh
cargo test "${crates[@]}" --no-run
ended servers

beside rust cargo test "${crates[@]}"
# Cargo lets nobody else build before its first test runs.
while ! grep -q 'Running' "$said/rust" && kill -0 "${running[rust]}" 2>/dev/null; do sleep 1; done
# With what the tests leave of the processors.
nice -n 19 python/build.sh install
nice -n 19 cargo test --manifest-path tests/threads/Cargo.toml --target-dir target/threads --locked
ended rust

python/build.sh test
beside python tests/test-python.sh
ffi/go/test.sh
tests/readme/run.py --library target/debug --python "$PWD/.build/python/bin/python"
ended python
