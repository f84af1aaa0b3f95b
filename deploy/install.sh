#!/usr/bin/env bash
# Installs one of the systems by its chart, and waits until it is ready: what comes next needs it. The dashboard's
# chart is this repository's, so stand in its folder.
#
#   install.sh sealed-secrets | mlflow | kserve | jupyterhub | dashboard
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# install RELEASE CHART NAMESPACE OPTIONS...
install() {
    local release=$1 chart=$2 namespace=$3
    shift 3
    helm upgrade --install "$release" "$chart" --namespace "$namespace" --wait --timeout 10m "$@"
}

case "${1:-}" in
sealed-secrets) # kubeseal looks for the controller by this name
    install sealed-secrets sealed-secrets kube-system --repo ${SEALED_SECRETS_CHARTS} \
        --version ${SEALED_SECRETS_CHART_VERSION} --set fullnameOverride=sealed-secrets-controller
    ;;
mlflow)
    install mlflow mlflow ${MLFLOW_NAMESPACE} --repo ${MLFLOW_CHARTS} \
        --version ${MLFLOW_CHART_VERSION} --values "$here/mlflow/values.yaml"
    ;;
kserve) # its webhook must answer before a runtime is taken
    install kserve-crd oci://${KSERVE_CHARTS}/kserve-crd ${KSERVE_NAMESPACE} --version ${KSERVE_VERSION}
    install kserve oci://${KSERVE_CHARTS}/kserve-resources ${KSERVE_NAMESPACE} \
        --version ${KSERVE_VERSION} --values "$here/kserve/values.yaml"
    install kserve-runtimes oci://${KSERVE_CHARTS}/kserve-runtime-configs ${KSERVE_NAMESPACE} \
        --version ${KSERVE_VERSION} --values "$here/kserve/runtimes-values.yaml"
    ;;
jupyterhub)
    install jupyterhub jupyterhub ${JUPYTERHUB_NAMESPACE} --repo ${JUPYTERHUB_CHARTS} \
        --version ${JUPYTERHUB_CHART_VERSION} --values "$here/jupyterhub/values.yaml"
    ;;
dashboard)
    install kserve-client charts/kserve-client ${DASHBOARD_NAMESPACE} --values "$here/dashboard/values.yaml"
    ;;
*)
    echo "install.sh sealed-secrets | mlflow | kserve | jupyterhub | dashboard" >&2
    exit 2
    ;;
esac
