#!/usr/bin/env bash
# fetch.sh: makes the Python with schemathesis that the tests attack a server with, once, in target/attacks. Prints that folder.
# Any number may ask at the same time.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../services/places.sh"

attacks="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
into="$(dirname "$CACHE")/attacks"
mkdir -p "$into"
exec 9>"$into/.lock"
flock --timeout 1800 9 || fail "waited half an hour for another fetch to end"

requirements="$attacks/requirements.txt"
if ! cmp --silent "$requirements" "$into/made-from"; then
    rm -rf "$into/python"
    python3 -m venv "$into/python" 9>&- || fail "could not make a Python environment; install python3-venv"
    "$into/python/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements" >&2 9>&- ||
        fail "pip could not fetch what infra/attacks needs; let it reach its index and try again"
    cp "$requirements" "$into/made-from"
fi
echo "$into"
