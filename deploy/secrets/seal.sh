#!/usr/bin/env bash
# Makes the two secrets and seals them for the cluster that kubectl is set to; only what is sealed is written.
# Wants the four variables that s3/create.sh printed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

seal() {
    local name=$1 namespace=$2 id=$3 secret=$4
    kubectl create secret generic "$name" --namespace "$namespace" --dry-run=client --output yaml \
        --from-file=AWS_ACCESS_KEY_ID=<(printf %s "$id") \
        --from-file=AWS_SECRET_ACCESS_KEY=<(printf %s "$secret") |
        kubeseal --controller-namespace kube-system --format yaml >"$here/$name-$namespace.yaml"
    echo "$here/$name-$namespace.yaml"
}

seal ${MLFLOW_SECRET} ${MLFLOW_NAMESPACE} "${MLFLOW_ACCESS_KEY_ID:?}" "${MLFLOW_SECRET_ACCESS_KEY:?}"
seal ${KSERVE_SECRET} ${NAMESPACE} "${KSERVE_ACCESS_KEY_ID:?}" "${KSERVE_SECRET_ACCESS_KEY:?}"
