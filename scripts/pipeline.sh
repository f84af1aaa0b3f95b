#!/usr/bin/env bash
# Goes the guide's whole road on this machine: notebook, MLflow, S3, KServe, dashboard. See --help.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

python=$(find_python)
cd "$root"
exec "$python" -m scripts.pipeline "$@"
