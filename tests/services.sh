#!/usr/bin/env bash
# Tests with real services, PostgreSQL, RabbitMQ, SSH and a Slurm of one node: `bash tests/run.sh --services` calls it;
# arguments go to pytest. They run in namespaces of their own, with their own loopback, processes and folders of state:
# what runs on this machine is not touched, and all ends with the tests. Debian packages that are missing are installed.
# The exit status is 75 if it cannot be done here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
_cannot() {
    echo "$1: real services are not tested" >&2
    exit 75
}
_in_namespaces=(unshare --net --pid --mount --mount-proc --uts --fork --kill-child)
[ "$(id -u)" = 0 ] || _cannot 'only root may install and start them'
"${_in_namespaces[@]}" true 2>/dev/null || _cannot 'namespaces of the kernel cannot be made'
_packages='slurm-wlm slurmdbd munge mariadb-server-core mariadb-client-core postgresql rabbitmq-server openssh-server
    openssh-client sudo iproute2'
if ! dpkg -s $_packages >/dev/null 2>&1; then
    echo "installing" $_packages
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $_packages; } \
        >/dev/null || _cannot 'Debian packages cannot be installed'
fi
source examples/environment.sh tests
_scratch="$(mktemp -d)"
export VIRTUAL_ENV="$_environment" AIIDA_PATH="$_scratch" OMP_NUM_THREADS=1
"${_in_namespaces[@]}" bash tests/services/start.sh python -m pytest tests/services "$@" &
# `unshare` heeds no other signal; all in its namespaces ends with it.
trap 'kill -KILL $! 2>/dev/null || true; rm -rf "$_scratch"' EXIT
trap 'exit 1' INT TERM
wait $!
