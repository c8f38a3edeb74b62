#!/usr/bin/env bash
# Sets up everything and screens ten lithium compounds: virtual environment, AiiDA profile (SQLite, ZeroMQ broker), code,
# potential, ranking. All of it stays in this repository (.venv and .aiida). Can be run again; nothing is made twice.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source examples/environment.sh

# AiiDA keeps its data in $AIIDA_PATH/.aiida: here, not in the home directory.
export AIIDA_PATH="$PWD" PYTHONWARNINGS="${PYTHONWARNINGS:-ignore}"
if ! verdi profile show pesfp >/dev/null 2>&1; then
    _say 'making an AiiDA profile with SQLite and the ZeroMQ broker'
    verdi presto --profile-name pesfp --use-zeromq --non-interactive
fi

_say 'setting up computer, code and potential'
aiida-pesfp setup

_say 'screening; the first ranking takes about a minute on two cores'
verdi run examples/screen.py --protocol fast "$@"

_say 'done. To go on from here in this shell:'
cat <<EOF
  export AIIDA_PATH="$PWD" PATH="$_environment/bin:\$PATH"
  verdi run examples/query.py                       # ask the provenance graph
  verdi run examples/screen.py --protocol paper     # the paper's grid: eight times the points
  pesfp-scan --help                                 # the same without AiiDA
EOF
