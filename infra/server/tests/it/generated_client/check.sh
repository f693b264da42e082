#!/usr/bin/env bash
# check.sh BASE_URL FOLDER FILM: generates a Python client from the document at BASE_URL into FOLDER, and runs check.py with it.
# A part of the document that the generator does not understand fails the check.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/../../../../services/places.sh"

"$SERVICES/fetch.sh" openapi-python-client
export PYTHONPATH="$(folder_of openapi-python-client)/packages" PYTHONDONTWRITEBYTECODE=1
timeout 120 python3 -m openapi_python_client generate --url "$1/api/openapi.json" --config "$here/generator.yaml" \
    --meta none --fail-on-warning --output-path "$2/spool_client"
PYTHONPATH="$2:$PYTHONPATH" exec timeout 120 python3 "$here/check.py" "$1" "$3"
