#!/usr/bin/env bash
# Runs the tests of runs with several workers, engines and processes under ThreadSanitizer, with a standard library that is built
# for it. Needs a nightly toolchain with `rust-src`: `rustup component add rust-src --toolchain nightly`.
set -euo pipefail
cd "$(dirname "$0")/../.."
host=$(rustc -vV | sed -n 's/^host: //p')
export RUSTFLAGS="-Zsanitizer=thread"
cargo +nightly test -Zbuild-std --target "$host" --target-dir target/sanitize -p rollkeeper-tests --locked --test engine -- --test-threads 1 \
  runs:: waiting:: fairness:: processes:: many_workers::
