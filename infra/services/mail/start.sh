#!/usr/bin/env bash
# start.sh DATA PORT: becomes a mail server (aiosmtpd) on 127.0.0.1 that keeps mails as files in DATA/mails.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../places.sh"

data=$1 port=$2
folder="$(folder_of mail)"
[ -d "$folder" ] || fail "the mail server is not there yet; run infra/services/fetch.sh mail"

end_with_starter "$data"
exec env PYTHONPATH="$folder/packages" PYTHONDONTWRITEBYTECODE=1 \
    python3 "$SERVICES/mail/server.py" "$port" "$data/mails"
