#!/usr/bin/env bash
# check.sh CONNECTION_STRING: runs check.py with the client that fetch.sh brings.
set -euo pipefail
here="$(dirname "${BASH_SOURCE[0]}")"
source "$here/../../../places.sh"

"$SERVICES/fetch.sh" kurrentdbclient
PYTHONPATH="$(folder_of kurrentdbclient)/packages" PYTHONDONTWRITEBYTECODE=1 exec timeout 300 python3 "$here/check.py" "$1"
