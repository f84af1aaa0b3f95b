#!/usr/bin/env bash
# Makes the secrets and seals them for the cluster that kubectl is set to; only what is sealed is written.
# Wants the variables that s3/create.sh printed, and DATABASE_USER and DATABASE_PASSWORD of MLflow's database.
# Without KServe's key, as with IRSA, its secret is left out.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# seal NAME NAMESPACE KEY VALUE KEY VALUE: values go through pipes, where no list of processes shows them.
# An older file stays as it is until there is a new one.
seal() {
    local name=$1 namespace=$2 sealed
    sealed=$(kubectl create secret generic "$name" --namespace "$namespace" --dry-run=client --output yaml \
        --from-file="$3"=<(printf %s "$4") --from-file="$5"=<(printf %s "$6") |
        kubeseal --controller-namespace kube-system --format yaml)
    printf '%s\n' "$sealed" >"$here/$name-$namespace.yaml"
    echo "$here/$name-$namespace.yaml"
}

: "${MLFLOW_ACCESS_KEY_ID:?}" "${MLFLOW_SECRET_ACCESS_KEY:?}" "${DATABASE_USER:?}" "${DATABASE_PASSWORD:?}"
seal ${MLFLOW_SECRET} ${MLFLOW_NAMESPACE} \
    AWS_ACCESS_KEY_ID "$MLFLOW_ACCESS_KEY_ID" AWS_SECRET_ACCESS_KEY "$MLFLOW_SECRET_ACCESS_KEY"
seal ${DATABASE_SECRET} ${MLFLOW_NAMESPACE} username "$DATABASE_USER" password "$DATABASE_PASSWORD"
if [ -n "${KSERVE_ACCESS_KEY_ID:-}" ]; then
    seal ${KSERVE_SECRET} ${NAMESPACE} \
        AWS_ACCESS_KEY_ID "$KSERVE_ACCESS_KEY_ID" AWS_SECRET_ACCESS_KEY "${KSERVE_SECRET_ACCESS_KEY:?}"
else
    echo "No KSERVE_ACCESS_KEY_ID: ${KSERVE_SECRET} is left out, which is right with IRSA alone." >&2
fi
