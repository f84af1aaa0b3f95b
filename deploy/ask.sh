#!/usr/bin/env bash
# Sends input_1.json to the model through the gateway, as anybody outside of the cluster would.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

url=$(kubectl get inferenceservice ${MODEL} --namespace ${NAMESPACE} --output jsonpath='{.status.url}')
curl -sS --fail-with-body -H "Content-Type: application/json" -d "@$here/input_1.json" \
    "$url/v2/models/${MODEL}/infer"
