#!/usr/bin/env bash
# Starts the demo: real models on a real MLServer, and the dashboard on them. See --help.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

python=$(find_python)
cd "$root"
exec "$python" -m scripts.demo "$@"
