#!/usr/bin/env bash
# Runs the checks and the tests, and installs what they need.
#
#   scripts/test.sh                 everything
#   scripts/test.sh unit            the part that needs no server; so for each folder of tests/
#   scripts/test.sh unit -k wire    further words go to pytest
#
# What can't run on this machine is skipped with its reason; with CI=true it fails instead.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"

is_part() {
    [[ ${1:-} =~ ^[a-z]+$ ]] && [ -d "tests/$1" ]
}

# Only root on a Debian-like machine can install; everybody else gets a reason later.
apt_install() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        return 1
    fi
    echo "Installing $*"
    { apt-get update --quiet && DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet \
        --no-install-recommends "$@"; } >"$logs/apt.log" 2>&1 ||
        { echo "apt-get could not install $*; see $logs/apt.log" >&2; return 1; }
}

prepare_python() {
    local python
    python=$(find_python) || return 1
    "$python" -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv || true
}

prepare_chromium() {
    command -v chromium >/dev/null || command -v google-chrome >/dev/null ||
        apt_install chromium fonts-liberation || true
}

# Snippets are run by bash and curl.
prepare_curl() {
    command -v curl >/dev/null || apt_install curl ca-certificates || true
}

# Prints nothing when there is none; tests/needs.py says the reason.
prepare_mlserver() {
    environment mlserver requirements/mlserver.txt || true
}

prepare_kserve() {
    environment kserve requirements/kserve.txt || true
}

prepare_mlflow() {
    environment mlflow requirements/mlflow.txt || true
}

prepare_pipeline() {
    environment pipeline requirements/pipeline.txt || true
}

prepare_jupyterhub() {
    environment jupyterhub requirements/jupyterhub.txt || true
}

prepare_chart() {
    environment chart requirements/chart.txt requirements/chart-mcp.txt || true
}

# A Docker Engine, and what makes a base image where no registry of images answers.
prepare_docker() {
    command -v docker >/dev/null && docker version >/dev/null 2>&1 && return
    command -v dockerd >/dev/null && command -v debootstrap >/dev/null ||
        apt_install docker.io debootstrap || true
}

logs="${XDG_CACHE_HOME:-$HOME/.cache}/kserve-client"
mkdir -p "$logs"
part=
if is_part "${1:-}"; then
    part=$1
    shift
fi

prepare_python
python=$(environment dev requirements.txt requirements/dev.txt)
./scripts/check.sh
case "$part" in
    unit) prepare_curl ;;
    dashboard) ;;
    *)
        prepare_curl
        prepare_chromium
        prepare_docker
        KSERVE_CLIENT_MLSERVER_PYTHON=$(prepare_mlserver)
        KSERVE_CLIENT_KSERVE_PYTHON=$(prepare_kserve)
        KSERVE_CLIENT_MLFLOW_PYTHON=$(prepare_mlflow)
        KSERVE_CLIENT_PIPELINE_PYTHON=$(prepare_pipeline)
        KSERVE_CLIENT_JUPYTERHUB_PYTHON=$(prepare_jupyterhub)
        KSERVE_CLIENT_CHART_PYTHON=$(prepare_chart)
        export KSERVE_CLIENT_CHART_PYTHON
        export KSERVE_CLIENT_MLSERVER_PYTHON KSERVE_CLIENT_KSERVE_PYTHON KSERVE_CLIENT_MLFLOW_PYTHON
        export KSERVE_CLIENT_PIPELINE_PYTHON KSERVE_CLIENT_JUPYTERHUB_PYTHON
        ;;
esac
# Most tests wait for a server or a browser: one process more than there are cores.
# tests/conftest.py says which tests stay together; `-n 0` runs all in one process, as --pdb wants it.
# In the order of the folders: those that take longest come first.
exec "$python" -m scripts.run_tests --numprocesses "$(($(getconf _NPROCESSORS_ONLN) + 1))" \
    --dist loadscope --no-loadscope-reorder "tests${part:+/$part}" "$@"
