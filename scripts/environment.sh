# Sourced by the other scripts: finds a Python and makes virtual environments with it.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# Prints a Python of 3.11 or newer: $PYTHON if set, else the first one on the PATH that can make
# virtual environments. 3.11 and 3.12 come first, because MLServer says it needs one below 3.13.
find_python() {
    local candidate first=
    if [ -n "${PYTHON:-}" ]; then
        if ! is_new_enough "$PYTHON"; then
            echo "PYTHON is set to $PYTHON, which is no Python 3.11 or newer: point it to one, or unset it." >&2
            return 1
        fi
        "$PYTHON" -c 'import sys; print(sys.executable)'
        return
    fi
    for candidate in python3.11 python3.12 python3.13 python3.14 python3; do
        is_new_enough "$candidate" || continue
        candidate=$("$candidate" -c 'import sys; print(sys.executable)')
        if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
            echo "$candidate"
            return
        fi
        first=${first:-$candidate}
    done
    if [ -z "$first" ]; then
        echo "No Python 3.11 or newer was found: install one (on Debian and Ubuntu 'apt install python3 python3-venv'), or set PYTHON to its path." >&2
        return 1
    fi
    # It can't make virtual environments; what uses it says so if it has to.
    echo "$first"
}

# environment NAME LOCKFILE... makes the environment unless it is there, and prints its Python.
environment() {
    local python
    python=$(find_python) || return 1
    (cd "$root" && exec "$python" -m scripts.environment "$@")
}
