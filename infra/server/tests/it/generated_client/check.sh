#!/usr/bin/env bash
# check.sh BASE_URL FOLDER FILM: checks the document at BASE_URL against OpenAPI's own schema, generates a Python client from it
# into FOLDER, and runs check.py with that. A part that the generator does not understand fails the check.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/../../../../services/places.sh"

"$SERVICES/fetch.sh" openapi-python-client
export PYTHONPATH="$(folder_of openapi-python-client)/packages" PYTHONDONTWRITEBYTECODE=1
python3 -c 'import sys, urllib.request; urllib.request.urlretrieve(*sys.argv[1:])' "$1/api/openapi.json" "$2/openapi.json"
timeout 120 python3 -m openapi_spec_validator "$2/openapi.json"
timeout 120 python3 -m openapi_python_client generate --path "$2/openapi.json" --config "$here/generator.yaml" \
    --meta none --fail-on-warning --output-path "$2/spool_client"
PYTHONPATH="$2:$PYTHONPATH" exec timeout 120 python3 "$here/check.py" "$1" "$3"
