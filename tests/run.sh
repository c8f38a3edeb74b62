#!/usr/bin/env bash
# Sets up the environment and runs all tests, those of tests/unit side by side; with arguments, which go to pytest, only
# what they name, one after the other. With --services as the first, those with real services: see tests/services.sh.
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
if [ $# -gt 0 ]; then
    python -m pytest "$@"
    exit
fi
python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile tests/unit || _failed=1
# These start daemons and jobs, which take the cores by themselves.
python -m pytest tests/integration || _failed=1
exit "${_failed:-0}"
