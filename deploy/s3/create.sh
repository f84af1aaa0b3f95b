#!/usr/bin/env bash
# Makes the bucket, the two users and their keys with the AWS command line; run it again and nothing changes.
# Prints the keys as variables for secrets/seal.sh, once: keys that a user has already stay unprinted.
#
#   create.sh          MLflow's user and KServe's
#   create.sh --irsa   MLflow's alone: s3/create-role.sh makes a role for KServe
set -euo pipefail
export AWS_PAGER=
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
case "${1:-}" in "" | --irsa) ;; *) echo "create.sh: $1 is no option; there is --irsa." >&2; exit 2 ;; esac

# A few words of an error mean that the thing is there already.
unless_there() {
    local said
    said=$("$@" 2>&1) || grep -qE "BucketAlreadyOwnedByYou|EntityAlreadyExists" <<<"$said" ||
        { echo "$said" >&2; return 1; }
}

user() {
    local name=$1 policy=$2 file=$3 prefix=$4 keys
    unless_there aws iam create-user --user-name "$name"
    aws iam put-user-policy --user-name "$name" --policy-name "$policy" --policy-document "file://$file"
    keys=$(aws iam list-access-keys --user-name "$name" --output text --query 'length(AccessKeyMetadata)')
    if [ "$keys" = 0 ]; then
        aws iam create-access-key --user-name "$name" --output text \
            --query 'AccessKey.[AccessKeyId,SecretAccessKey]' |
            {
                read -r id secret
                echo "export ${prefix}_ACCESS_KEY_ID=$id"
                echo "export ${prefix}_SECRET_ACCESS_KEY=$secret"
            }
    fi
}

# S3 takes every region as a place but us-east-1, which is where a bucket without a place lies.
region=${REGION} place=()
[ "$region" = us-east-1 ] || place=(--create-bucket-configuration "LocationConstraint=$region")
unless_there aws s3api create-bucket --bucket ${BUCKET} --region "$region" ${place[@]+"${place[@]}"}
# Stores beside AWS need not know this one; there nothing is public unless somebody says so.
if [ -z "${AWS_ENDPOINT_URL:-}" ]; then
    aws s3api put-public-access-block --bucket ${BUCKET} --public-access-block-configuration \
        BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true
fi
user ${MLFLOW_USER} ${MLFLOW_POLICY} "$here/mlflow-policy.json" MLFLOW
[ "${1:-}" = --irsa ] || user ${KSERVE_USER} ${KSERVE_POLICY} "$here/kserve-policy.json" KSERVE
