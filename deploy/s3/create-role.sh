#!/usr/bin/env bash
# For IRSA, in place of KServe's user and key: a role that only the service account ${SERVICE_ACCOUNT} may take.
# Run it again, and a role that is there gets the trust and the policy of these files.
set -euo pipefail
export AWS_PAGER=
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

trust="file://$here/kserve-trust-policy.json"
if ! said=$(aws iam create-role --role-name ${KSERVE_ROLE} --assume-role-policy-document "$trust" 2>&1); then
    grep -q EntityAlreadyExists <<<"$said" || { echo "$said" >&2; exit 1; }
    aws iam update-assume-role-policy --role-name ${KSERVE_ROLE} --policy-document "$trust"
fi
aws iam put-role-policy --role-name ${KSERVE_ROLE} --policy-name ${KSERVE_POLICY} \
    --policy-document "file://$here/kserve-policy.json"
