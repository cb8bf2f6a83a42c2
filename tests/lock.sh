#!/bin/sh
# Pin what pyproject.toml asks for, with hashes and without naming an index.
set -eu
uv=$1
build=$(mktemp)
echo 'setuptools>=77' >"$build"
pin() { "$uv" pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q "$@"; }
pin --upgrade pyproject.toml "$build" -o requirements.txt
pin --all-extras -c requirements.txt pyproject.toml "$build" -o requirements-test.txt
rm "$build"
