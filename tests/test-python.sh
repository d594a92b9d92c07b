#!/usr/bin/env bash
# The tests that are Python programs: real servers, the demo and its negative controls, kill -9. They need the wheel in
# `.build/python` and the servers in `.build/servers`, which `make test` installs first.
set -euo pipefail
cd "$(dirname "$0")/.."
tests/torture/build.sh
for folder in servers demo torture; do
  echo "tests/$folder"
  .build/servers/bin/python -m unittest discover -s "tests/$folder"
done
.build/python/bin/python tests/torture/reconciliation.py --seconds 20
