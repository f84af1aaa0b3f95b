#!/usr/bin/env bash
# Writes the files of deploy/ with your names filled in: scripts/deploy.sh OUT [NAME=VALUE...]. See --help.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

python=$(find_python)
cd "$root"
exec "$python" -m scripts.deploy "$@"
