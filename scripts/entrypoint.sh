#!/usr/bin/env bash
# What the image runs.
#
#   entrypoint.sh                      the dashboard
#   entrypoint.sh health               whether the one in this container is well
#   entrypoint.sh check URL            whether the one at URL answers, with its page
#   entrypoint.sh kserve-client …      the command line
#   entrypoint.sh PROGRAM …            anything else
#
# Each by exec: the program is process 1 and gets the signals itself.
set -euo pipefail

case "${1:-serve}" in
    serve) exec python -m scripts.serve ;;
    health) exec python -m scripts.ask_dashboard ;;
    check) exec python -m scripts.ask_dashboard "${2:?the URL of the dashboard is missing}" ;;
    kserve-client)
        shift
        exec python -m kserve_client "$@"
        ;;
    *) exec "$@" ;;
esac
