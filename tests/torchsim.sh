#!/usr/bin/env bash
# Tests the potentials of torch-sim in an environment of their own, .venv-torchsim; arguments go to pytest. It needs
# Python 3.12 and several GB; the exit status is 75 if something cannot be installed. The packages of its models come
# without what they ask for, which is in conflict in small things (versions of e3nn, filelock, nvalchemi-toolkit-ops)
# but works, or tools for training.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
for candidate in ${PYTHON:-} python3.12 python3.13 "$(pyenv root 2>/dev/null)"/versions/3.12*/bin/python; do
    command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 12))' &&
        PYTHON="$candidate" && break
    PYTHON=''
done
if [ -z "${PYTHON:-}" ]; then
    echo 'no Python 3.12 is here: the potentials of torch-sim are not tested'
    exit 0
fi
export PYTHON ENVIRONMENT="$PWD/.venv-torchsim"
_cannot() {
    echo 'the environment could not be made: the potentials of torch-sim are not tested' >&2
    exit 75
}
(source examples/environment.sh torchsim) || _cannot
source examples/environment.sh torchsim
_say 'installing models of torch-sim'
_pip() { python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt "$@"; }
_pip torch-sim-atomistic==0.6.2 jax==0.12.0.1 pytest pytest-timeout pytest-regressions hypothesis \
    boto3 google-cloud-storage cloudpickle configargparse dm-tree equinox e3nn-jax gitpython jraph lmdb matscipy \
    metatensor-operations metatensor-torch opt-einsum optax orjson prettytable python-hostlist torch-ema torchmetrics vesin wigners wrapt ||
    _cannot
_pip --no-deps cached-path==1.8.10 deprecated loguru==0.7.3 torch-runstats==0.2.0 mace-torch==0.3.16 \
    mattersim==1.2.5 metatomic-ase==0.1.4 metatomic-torch==0.1.19 metatomic-torchsim==0.1.7 nequix==0.4.5 orb-models==0.7.0 ||
    _cannot

_scratch="$(mktemp -d)"
trap 'rm -rf "$_scratch"' EXIT
export AIIDA_PATH="$_scratch" OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
_say 'testing the potentials of torch-sim'
python -m pytest tests/unit/potentials/test_torchsim.py tests/unit/potentials/test_rows.py "$@"
