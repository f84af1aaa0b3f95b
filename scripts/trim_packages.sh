#!/usr/bin/env bash
# Takes out of an environment what no running dashboard opens: usage trim_packages.sh VENV.
# scripts/warm_image.py imports what is left, and fails when something lacks. Sizes as of the versions locked in November 2026.
set -euo pipefail
shopt -s nullglob

cd "${1:?usage: trim_packages.sh VENV}"/lib/python3*/site-packages

# Arrow (65 MB): Flight and its own S3 client; we use CSV, JSON, Parquet, and fsspec for S3.
rm -rf pyarrow/libarrow_flight.so* pyarrow/_flight.*.so \
    pyarrow/libarrow_s3.so* pyarrow/_s3fs.*.so \
    pyarrow/include pyarrow/src pyarrow/tests pyarrow/libarrow_python.so pyarrow/libarrow_python.so.*.*
# What only notebooks load: 33 MB.
rm -rf pydeck/nbextension plotly/labextension plotly/package_data/widgetbundle.js \
    plotly/package_data/plotly.min.js plotly/package_data/datasets share/jupyter
# Tests and builders of extensions: 35 MB.
rm -rf pandas/tests numpy/tests numpy/*/tests numpy/f2py numpy/distutils numpy/_core/lib numpy/_core/include
find . \( -name '*.pyx' -o -name '*.pxd' -o -name '*.pxi' -o -name '*.pyi' \) -type f -delete
rm -rf streamlit/.agents simdjson/*.cpp simdjson/*.h
# The same client once more, for asyncio: 41 MB.
rm -rf kubernetes/aio
# Names for debuggers: 26 MB. Not in *.libs, whose files the makers of wheels have patched.
for library in pyarrow/*.so pyarrow/*.so.* csimdjson*.so; do
    strip --strip-unneeded "$library"
done
