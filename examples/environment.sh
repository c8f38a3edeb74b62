# Sourced by examples/quickstart.sh and tests/run.sh: makes the virtual environment .venv in the repository, or finds
# that it is up to date, and activates it. Needs Python 3.11 or newer with pip, and nothing else; $PYTHON chooses one,
# $ENVIRONMENT another folder.
# Usage: source examples/environment.sh [EXTRA...]

_repository="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
_environment="${ENVIRONMENT:-$_repository/.venv}"

_say() { printf '\n==> %s\n' "$*"; }
_die() { printf '\nError: %s\n' "$*" >&2; exit 1; }

_find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3.11 python3.12 python3.13 python3 python; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    _die 'no Python 3.11 or newer is on the PATH: install it first (on Debian: apt install python3 python3-pip)'
}

_make_environment() {
    local python tools
    python="$(_find_python)"
    _say "making a virtual environment with $("$python" --version)"
    rm -rf "$_environment"
    if ! "$python" -m venv "$_environment" >/dev/null 2>&1; then
        # Debian leaves ensurepip out of its Python: take virtualenv, which brings its own, for this once.
        rm -rf "$_environment"
        tools="$(mktemp -d)"
        "$python" -m pip install --quiet --target "$tools" virtualenv ||
            _die "neither venv nor pip works with $python (on Debian: apt install python3-pip or python3-venv)"
        PYTHONPATH="$tools" "$python" -m virtualenv --quiet "$_environment" || _die 'virtualenv failed'
        rm -rf "$tools"
    fi
}

_install() {
    local extras="$1" pip="$_environment/bin/python -m pip --disable-pip-version-check"
    local torch
    torch="$(grep '^torch==' "$_repository/constraints.txt")"
    _say "installing $torch (the largest part, a few minutes on a slow line)"
    $pip install --progress-bar on --constraint "$_repository/constraints.txt" "$torch"
    _say 'installing aiida-pesfp and what else it needs'
    $pip install --progress-bar on --constraint "$_repository/constraints.txt" --editable "$_repository$extras"
}

_extras="${1:+[$1]}"
# What the environment was made from: another Python, other pins or other requirements make it out of date.
_stamp="$(cat "$_repository/constraints.txt" "$_repository/pyproject.toml" | cksum) $_repository"
for _wanted in "$_stamp ${_extras:-[]}" "$_stamp [tests]"; do
    [ "$(cat "$_environment/.stamp" 2>/dev/null)" = "$_wanted" ] && _fresh=yes
done
if [ -z "${_fresh:-}" ]; then
    [ -x "$_environment/bin/python" ] && [ "$(sed 's/.* \//\//; s/ \[.*//' "$_environment/.stamp" 2>/dev/null)" = "$_repository" ] ||
        _make_environment
    _install "$_extras" || _die 'the installation failed, see above; running this again continues where it stopped'
    printf '%s' "$_stamp ${_extras:-[]}" >"$_environment/.stamp"
fi
PATH="$_environment/bin:$PATH"
export PATH
