#!/usr/bin/env bash
# Measures this client against others, and installs what that needs.
#
#   scripts/bench.sh codec                 tensors and tables to bodies and back
#   scripts/bench.sh client                one call on a warm connection, and the import
#   scripts/bench.sh threads               many calls at once, beside asyncio
#   scripts/bench.sh batch                 whole tables, from CSV file to CSV file
#   scripts/bench.sh codec --json FILE     also writes everything measured to FILE
#   scripts/bench.sh codec --check         exits with 1 when a figure falls short, naming it
#   scripts/bench.sh codec --quick         few rows and rounds: only to see that it runs
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

python=$(environment dev "$root/requirements.txt" "$root/requirements/dev.txt")
KSERVE_CLIENT_MLSERVER_PYTHON=$(environment mlserver "$root/requirements/mlserver.txt")
KSERVE_CLIENT_KSERVE_PYTHON=$(environment kserve "$root/requirements/kserve.txt")
export KSERVE_CLIENT_MLSERVER_PYTHON KSERVE_CLIENT_KSERVE_PYTHON
# A path that the caller wrote stays relative to where he stands.
export PYTHONPATH="$root"
exec "$python" -m bench "$@"
