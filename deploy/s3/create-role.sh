#!/usr/bin/env bash
# For IRSA, in place of KServe's user and key: a role that only the service account ${SERVICE_ACCOUNT} may take.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

aws iam create-role --role-name ${KSERVE_ROLE} \
    --assume-role-policy-document "file://$here/kserve-trust-policy.json"
aws iam put-role-policy --role-name ${KSERVE_ROLE} --policy-name ${KSERVE_POLICY} \
    --policy-document "file://$here/kserve-policy.json"
