#!/usr/bin/env bash
# Sets up everything, screens ten lithium compounds, and computes migration barriers of the best: virtual environment, AiiDA
# profile (SQLite, ZeroMQ broker), codes, potential, ranking, report. All of it stays in this repository (.venv, .aiida,
# report.html). If you run it again, nothing is made or computed twice.
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

# With caching, AiiDA takes from the graph what was computed before.
verdi config set caching.default_enabled true >/dev/null

_say 'screening; the first ranking takes about a minute on two cores'
verdi run examples/screen.py --protocol fast

_say 'migration barriers of the three best, with a framework that relaxes; some minutes on two cores'
aiida-pesfp launch screen-and-validate examples --protocol fast --barrier-candidates 3 --no-ml

_say 'writing the report'
_workchain="$(verdi process list --all --raw --project pk --process-label ScreenAndValidateWorkChain | tail -1)"
aiida-pesfp report "$_workchain" -o report.html

_say 'done: open report.html with a browser. To go on from here in this shell:'
cat <<EOF
  export AIIDA_PATH="$PWD" PATH="$_environment/bin:\$PATH"
  aiida-pesfp rank                                  # the ranking again; aiida-pesfp show LiI_wurtzite
  aiida-pesfp launch conductivity LiBr              # molecular dynamics, to the activation energy
  verdi run examples/query.py                       # ask the provenance graph
  verdi run examples/screen.py --protocol paper     # the paper's grid: eight times the points
  pesfp-scan --help                                 # the same without AiiDA
EOF
