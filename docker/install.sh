#!/bin/sh
# Fieldloop from this checkout into a fresh environment, every file checked against its hash: install.sh TARGET
set -eu
target=$1
cd "$(dirname "$0")/.."
"${PYTHON:-python3}" -m venv "$target"
"$target/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
"$target/bin/uv" pip install --quiet --python "$target/bin/python" --require-hashes -r requirements.lock
"$target/bin/uv" pip install --quiet --python "$target/bin/python" --no-deps --no-build-isolation .
PYTHONDONTWRITEBYTECODE= "$target/bin/python" -P -m fieldloop.stack.warm
"$target/bin/fieldloop" --version
