#!/bin/sh
# Installs the real servers that tests and demo run against into .build/servers. Does nothing where that is done.
set -eu
here=$(dirname "$(readlink -f "$0")")
root=$(readlink -f "$here/../..")
. "$here/python.sh"
install_into "$root/.build/servers" "$here/requirements.txt"
install_into "$root/.build/django" "$here/requirements-django.txt"
install_into "$root/.build/canaille" "$here/requirements-canaille.txt"

# The authorization server and the second implementation of PATCH are Node packages; a stamp says that a folder is finished.
node_into() {
    if ! cmp -s "$2/package-lock.json" "$1/installed.json"; then
        command -v npm >/dev/null || { echo "Node 20 or newer with npm is needed for $1" >&2; exit 1; }
        rm -rf "$1"
        mkdir -p "$1"
        cp "$2"/package*.json "$1"
        (cd "$1" && npm ci --no-fund --no-audit --loglevel=error)
        cp "$2/package-lock.json" "$1/installed.json"
    fi
    cp "$2"/*.mjs "$1"
}
node_into "$root/.build/oauth" "$here/oauth"
node_into "$root/.build/patch" "$here/patch"
