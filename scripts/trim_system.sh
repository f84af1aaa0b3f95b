#!/usr/bin/env bash
# Takes out of a python:*-slim what a running dashboard needs not, and makes its user. Runs while the image is built.
set -euo pipefail
shopt -s nullglob

# Installers: nothing is installed in a running container, and scanners rightly ask why they are there.
python3 -m pip uninstall --yes --quiet --root-user-action ignore setuptools wheel || true
rm -rf /usr/local/lib/python3*/{ensurepip,idlelib,lib2to3,tkinter,turtledemo,test,pydoc_data} \
    /usr/local/lib/python3*/site-packages/{pip,pip-*} /usr/local/bin/{pip,idle,pydoc,2to3}* \
    /usr/local/include /usr/local/share
# The licences stay.
find /usr/share/doc -type f ! -name copyright -delete
rm -rf /usr/share/{man,info,locale,lintian} /var/cache/apt /var/lib/apt/lists /var/log/* /root/.cache
find / -xdev -name __pycache__ -type d -prune -exec rm -rf {} +

groupadd --gid 10001 dashboard
useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin dashboard
install --directory --owner 10001 --group 10001 /var/lib/kserve-client /etc/kserve-client
