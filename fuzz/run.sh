#!/bin/sh
# Every fuzz target for so many seconds: run.sh SECONDS [TARGET…]. A finding stops the run; its input stands in
# .build/fuzz/artifacts. With a nightly compiler the address sanitizer watches too; it makes everything some ten times slower,
# so that a case may take 100 ms then, and all that was found is played again without it, where 10 ms is the bound.
# cargo-fuzz is installed into .build/.
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
targets=${*:-expression mapping path filter definition token answer discovery wait}

fuzz() {                            # fuzz SANITIZER TARGET OPTIONS…
    of=$1 target=$2
    shift 2
    mkdir -p "$root/artifacts/$target"
    "$tool" run --sanitizer "$of" --fuzz-dir . --target-dir "$root/target-$of" "$target" "$root/corpus/$target" -- \
        -timeout=5 -malloc_limit_mb=64 -max_len=4096 -print_final_stats=1 -dict="$PWD/words.dict" \
        -artifact_prefix="$root/artifacts/$target/" -verbosity=0 "$@"
}

for target in $targets; do
    echo "fuzz $target, $seconds seconds"
    # The address sanitizer's own tables take a part of the memory that is counted.
    if [ $sanitizer = address ]; then
        ROLLKEEPER_FUZZ_BOUND=100 fuzz address "$target" -max_total_time="$seconds" -rss_limit_mb=1024
        fuzz none "$target" -runs=0 -rss_limit_mb=512
    else
        fuzz none "$target" -max_total_time="$seconds" -rss_limit_mb=512
    fi
done
