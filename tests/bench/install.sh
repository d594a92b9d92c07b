#!/bin/sh
# Installs the peers that the benchmarks run beside into .build/bench. Does nothing where that is done.
set -eu
here=$(dirname "$(readlink -f "$0")")
root=$(readlink -f "$here/../..")
. "$root/tests/servers/python.sh"
install_into "$root/.build/bench" "$here/requirements.txt"
