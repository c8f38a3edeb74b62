#!/usr/bin/env bash
# Sets up the environment and runs all tests; further arguments go to pytest. The quick ones come first.
# With --services as the first, those with real services instead: see tests/services.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ "${1:-}" = --services ] && exec bash tests/services.sh "${@:2}"
source examples/environment.sh tests

# Nothing of the user's AiiDA is touched: whatever looks for a configuration finds an empty folder.
_scratch="$(mktemp -d)"
trap 'rm -rf "$_scratch"' EXIT
export AIIDA_PATH="$_scratch"
# Tests start processes of their own: one thread each keeps two cores from fighting.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

_say 'running the tests'
python -m pytest "$@"
