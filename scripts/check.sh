#!/usr/bin/env bash
# Everything that reads the code without running it: style, types, floors, shell scripts.
# Goes through all of it before it fails. `scripts/check.sh --fix` mends what can be mended first.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

bin=$(dirname "$(environment dev "$root/requirements.txt" "$root/requirements/dev.txt")")
cd "$root"
failed=()

run() {
    local name=$1
    shift
    "$@" || failed+=("$name")
}

# A thread to each tool would be faster, but their words would mix.
shell_scripts() {
    local script status=0
    for script in scripts/*.sh .ci/run; do
        bash -n "$script" || status=1
    done
    if command -v shellcheck >/dev/null; then
        shellcheck --external-sources --source-path=scripts scripts/*.sh .ci/run || status=1
    fi
    return $status
}

if [ "${1:-}" = --fix ]; then
    "$bin/ruff" check --quiet --fix . || true
    "$bin/ruff" format --quiet .
fi
run "ruff check" "$bin/ruff" check --quiet --output-format concise .
run "ruff format" "$bin/ruff" format --check --output-format concise .
run "mypy" "$bin/mypy" --no-error-summary
run "import-linter" env PYTHONPATH=. "$bin/lint-imports" --no-logo --cache-dir .import_linter_cache
run "shell scripts" shell_scripts

if [ ${#failed[@]} -gt 0 ]; then
    printf 'Failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
echo "All checks passed."
