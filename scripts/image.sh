#!/usr/bin/env bash
# Builds the image of the dashboard.
#
#   scripts/image.sh [TAG]                         kserve-client:VERSION, with the extra kubernetes
#   EXTRAS="kubernetes s3 dask" scripts/image.sh   with more
#   BASE=registry.example.org/python:3.11-slim@sha256:… scripts/image.sh
#
# IMAGE_BUILDER names the program, docker unless set; further words after TAG go to its build command.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
tag=${1:-kserve-client:$version}
[ $# -eq 0 ] || shift
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
# The time of the commit, so that the same commit gives the same labels.
created=$(git log -1 --format=%cI 2>/dev/null || date -u +%Y-%m-%dT%H:%M:%SZ)

arguments=(--build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "CREATED=$created")
[ -z "${BASE:-}" ] || arguments+=(--build-arg "BASE=$BASE")
[ -z "${EXTRAS+set}" ] || arguments+=(--build-arg "EXTRAS=$EXTRAS")
export DOCKER_BUILDKIT=1
exec "${IMAGE_BUILDER:-docker}" build "${arguments[@]}" --tag "$tag" "$@" .
