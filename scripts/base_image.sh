#!/usr/bin/env bash
# Makes a stand-in for the base image python:3.11-slim where no registry of images answers: Debian by
# debootstrap, and the CPython that runs here, laid out as in the official image.
#
#   scripts/base_image.sh OUT.tar       as root; needs debootstrap, and a Python of its own prefix
#   docker import OUT.tar docker.io/library/python:3.11-slim
#
# It is good for tests: what the official image has, file by file, only the official image has. This
# machine's certificates are taken along, so that a build finds the package index as this machine does.
set -euo pipefail
out=$(realpath -m "${1:?usage: scripts/base_image.sh OUT.tar}")
python=${PYTHON:-python3}
prefix=$("$python" -c 'import sys; print(sys.base_prefix)')
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if [ "$prefix" = /usr ]; then
    echo "The Python of the system can't be taken along: set PYTHON to one with a prefix of its own." >&2
    exit 1
fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

debootstrap --variant=minbase --include=ca-certificates,netbase,tzdata,libssl3,libffi8,libsqlite3-0,zlib1g,libbz2-1.0,liblzma5,libreadline8,libncursesw6,libuuid1,libexpat1 \
    bookworm "$root" >&2
chroot "$root" apt-get clean
# As Debian's own slim images: no manuals, the licences stay.
find "$root/usr/share/doc" -type f ! -name copyright -delete
rm -rf "$root"/var/lib/apt/lists/* "$root"/usr/share/{man,locale,info}/*
mkdir -p "$root/usr/local/lib" "$root/usr/local/bin"
(cd "$prefix" && tar --exclude=test --exclude=tests --exclude=__pycache__ --exclude='*.a' \
    --exclude="config-$version*" --exclude='site-packages/*' --exclude=idlelib --exclude=tkinter \
    --exclude='_tkinter*' -cf - "lib/python$version" lib/libpython"$version"*.so* \
    "bin/python$version" "include/python$version") | tar -C "$root/usr/local" -xf -
# The official image has it without names for debuggers.
command -v strip >/dev/null && strip --strip-unneeded "$root"/usr/local/lib/libpython"$version"*.so.*
ln -sf "python$version" "$root/usr/local/bin/python3"
ln -sf "python$version" "$root/usr/local/bin/python"
chroot "$root" ldconfig
chroot "$root" python3 -m ensurepip >&2
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
    printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' >"$root/etc/pip.conf"
fi
chroot "$root" python3 -c 'import ssl, sqlite3, zlib, bz2, lzma, ctypes, uuid' >&2
tar -C "$root" -cf "$out" .
