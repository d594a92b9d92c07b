#!/bin/sh
# Installs the real servers that tests and demo run against into .build/servers. Does nothing where that is done.
set -eu
here=$(dirname "$(readlink -f "$0")")
root=$(readlink -f "$here/../..")
. "$here/python.sh"
install_into "$root/.build/servers" "$here/requirements.txt"
install_into "$root/.build/django" "$here/requirements-django.txt"
install_into "$root/.build/canaille" "$here/requirements-canaille.txt"

# The authorization server is a Node package; a stamp says that its folder is finished.
oauth=$root/.build/oauth
if ! cmp -s "$here/oauth/package-lock.json" "$oauth/installed.json"; then
    command -v npm >/dev/null || { echo "Node 20 or newer with npm is needed for the authorization server" >&2; exit 1; }
    rm -rf "$oauth"
    mkdir -p "$oauth"
    cp "$here"/oauth/package*.json "$here/oauth/server.mjs" "$oauth"
    (cd "$oauth" && npm ci --no-fund --no-audit --loglevel=error)
    cp "$here/oauth/package-lock.json" "$oauth/installed.json"
fi
cp "$here/oauth/server.mjs" "$oauth"
