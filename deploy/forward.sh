#!/usr/bin/env bash
# Brings one of the pages to this machine, for you alone, until Ctrl-C.
#
#   forward.sh mlflow | jupyterhub | dashboard
set -euo pipefail

case "${1:-}" in
mlflow) exec kubectl port-forward --namespace ${MLFLOW_NAMESPACE} service/mlflow 5000:80 ;;
jupyterhub) exec kubectl port-forward --namespace ${JUPYTERHUB_NAMESPACE} service/proxy-public 8000:80 ;;
dashboard) exec kubectl port-forward --namespace ${DASHBOARD_NAMESPACE} service/kserve-client 8501:80 ;;
*)
    echo "forward.sh mlflow | jupyterhub | dashboard" >&2
    exit 2
    ;;
esac
