#!/bin/sh
# Builds what the benchmarks run beside and cargo's workspace does not hold: the program in C over the C interface, and the
# expression crates. A peer that cannot be built is reported as missing by the benchmarks.
set -eu
cd "$(dirname "$(readlink -f "$0")")/../.."
# As a shared library alone, so that what it is made of is what the other programs are made of.
cargo rustc --quiet --release --locked -p rollkeeper-ffi --crate-type cdylib
target=$(readlink -f "${CARGO_TARGET_DIR:-target}")
# The program asks for the library by its SONAME.
ln -sf librollkeeper.so "$target/release/librollkeeper.so.1"
cc -O2 -Wall -Wextra -Iinclude tests/bench/mapping.c -L"$target/release" -lrollkeeper -Wl,-rpath,"$target/release" \
    -o "$target/release/mapping-c"
cargo build --quiet --release --locked --manifest-path tests/bench/crates/Cargo.toml --target-dir "$target/bench-crates" ||
    echo "tests/bench/build.sh: the expression crates cannot be built" >&2
