#!/usr/bin/env bash
# Builds the wheel once and tests it on the oldest Python that it is for and on the newest one found. Needs a Rust tool
# chain and a Python; everything else goes into virtual environments under `.build/`, which git ignores.
#
#   python/build.sh            build (development profile) and test
#   python/build.sh wheel      build only; the wheel is in `.build/wheels`
#   python/build.sh release    build the optimised wheel only, and install it into `.build/release`, for the benchmarks
#   python/build.sh install    build (development profile) and install into both environments
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
tools=("maturin==1.16.0" "mypy==2.4.1" "pytest==9.2.0")
tools_of_old=("pytest==8.4.2")      # the last for Python 3.9

# The same in every build, so that cargo does not compile the bindings again for each: the stable ABI needs no interpreter.
export PYO3_BUILD_EXTENSION_MODULE=1 PYO3_NO_PYTHON=1 CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}"

interpreter() {                     # the first that runs, of a version's possible places
  local version=$1 candidate
  for candidate in "python$version" ~/.pyenv/versions/"$version"*/bin/python; do
    if "$candidate" -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != "'"$version"'")' 2>/dev/null; then
      echo "$candidate"; return
    fi
  done
  return 1
}

venv() {                            # venv VERSION FOLDER: makes an environment where there is none
  if [ ! -x "$2/bin/python" ]; then
    "$(interpreter "$1")" -m venv "$2"
    rm -f .build/wheels/installed   # a new environment has no wheel yet
  fi
}

environment() {                     # environment VERSION TOOLS…: makes or completes `.build/venv-VERSION`
  local version=$1 folder=.build/venv-$1; shift
  venv "$version" "$folder"
  if [ "$(cat "$folder/tools" 2>/dev/null)" != "$*" ]; then
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
    echo "$*" > "$folder/tools"
  fi
}

newest=
for version in 3.14 3.13 3.12 3.11 3.10; do
  if interpreter "$version" >/dev/null; then newest=$version; break; fi
done
[ -n "$newest" ] || { echo "python/build.sh: no Python 3.10 or newer found" >&2; exit 1; }
environment "$newest" "${tools[@]}"
ln -sfn "venv-$newest" .build/python    # the one that the demo and the benchmarks use
versions=("$newest")
if interpreter 3.9 >/dev/null; then
  environment 3.9 "${tools_of_old[@]}"
  versions=(3.9 "$newest")
else
  echo "python/build.sh: no Python 3.9 here, tested on $newest alone"
fi

build() {                           # build PROFILE FOLDER
  rm -rf "$2"
  ".build/venv-$newest/bin/maturin" build --quiet --locked --profile "$1" --manifest-path python/Cargo.toml --out "$2"
}

install_into() {                    # install_into ENVIRONMENT WHEELS: the wheel just built, whatever was there
  ".build/$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-index --force-reinstall \
    "$2"/rollkeeper-*.whl
}

extra_into() {                      # extra_into ENVIRONMENT WHEELS: what the command line needs besides the wheel
  local wheels=("$2"/rollkeeper-*.whl)
  ".build/$1/bin/python" -m pip install --quiet --disable-pip-version-check "${wheels[0]}[cli]"
}

is_fresh() {                        # the installed wheel is newer than everything it is made of
  [ -e .build/wheels/installed ] &&
    [ -z "$(find Cargo.toml Cargo.lock core/Cargo.toml core/src python -type f -newer .build/wheels/installed \
      -not -path '*/__pycache__/*' -not -path '*/.*_cache/*' -print -quit)" ]
}

case "${1:-test}" in
  wheel) build dev .build/wheels; exit ;;
  release)
    # What nothing here uses of SQLite stays out of the wheel.
    export LIBSQLITE3_FLAGS="-USQLITE_ENABLE_FTS3 -USQLITE_ENABLE_FTS3_PARENTHESIS -USQLITE_ENABLE_FTS5 -USQLITE_ENABLE_RTREE"
    build wheel .build/wheels-release
    venv "$newest" .build/release
    install_into release .build/wheels-release
    exit ;;
  install | test) ;;
  *) echo "python/build.sh: unknown command \`$1\`" >&2; exit 2 ;;
esac

if ! is_fresh; then
  build dev .build/wheels
  for version in "${versions[@]}"; do
    install_into "venv-$version" .build/wheels
    extra_into "venv-$version" .build/wheels
  done
  touch .build/wheels/installed
fi
[ "${1:-test}" = test ] || exit 0
# Side by side: each of them keeps one core busy.
running=()
for version in "${versions[@]}"; do
  (cd python && "../.build/venv-$version/bin/python" -m pytest -q -p no:cacheprovider) > ".build/tested-$version" 2>&1 &
  running+=($!)
done
failed=0
for index in "${!versions[@]}"; do
  wait "${running[$index]}" || failed=1
  echo "python/build.sh: tested on Python ${versions[$index]}"
  cat ".build/tested-${versions[$index]}"
done
exit "$failed"
