#!/bin/sh
# Installs the real servers that tests and demo run against into .build/servers. Does nothing where that is done.
set -eu
here=$(dirname "$(readlink -f "$0")")
root=$(readlink -f "$here/../..")
. "$here/python.sh"
install_into "$root/.build/servers" "$here/requirements.txt"
install_into "$root/.build/django" "$here/requirements-django.txt"
