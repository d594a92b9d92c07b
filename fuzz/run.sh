#!/bin/sh
# Every fuzz target for so many seconds: run.sh SECONDS [TARGET…]. A finding stops the run; its input stands in
# .build/fuzz/artifacts. With a nightly compiler the address sanitizer watches too. cargo-fuzz is installed into .build/.
set -eu
cd "$(dirname "$0")/.."
seconds=$1
shift
root=$PWD/.build/fuzz
tool=$root/tool/bin/cargo-fuzz
if ! [ -x "$tool" ]; then
    cargo install cargo-fuzz --locked --quiet --root "$root/tool"
fi
fuzz/seeds.py "$root/corpus"
cd fuzz
sanitizer=none
if rustup run nightly rustc --version >/dev/null 2>&1; then
    export RUSTUP_TOOLCHAIN=nightly
    sanitizer=address
fi
"$tool" build --sanitizer "$sanitizer" --fuzz-dir . --target-dir "$root/target"
for target in ${*:-expression mapping path filter definition}; do
    mkdir -p "$root/artifacts/$target"
    echo "fuzz $target, $seconds seconds"
    # The address sanitizer's own tables take a part of the memory that is counted.
    "$tool" run --sanitizer "$sanitizer" --fuzz-dir . --target-dir "$root/target" "$target" "$root/corpus/$target" -- \
        -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -malloc_limit_mb=64 -max_len=4096 -print_final_stats=1 \
        -dict="$PWD/words.dict" -artifact_prefix="$root/artifacts/$target/" -verbosity=0
done
