#!/usr/bin/env bash
# start.sh DATA PORT: becomes an S3 server (versitygw) on 127.0.0.1 that keeps objects as files below DATA.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../places.sh"

data=$1 port=$2
folder="$(folder_of s3)"
[ -d "$folder" ] || fail "the S3 server is not there yet; run infra/services/fetch.sh s3"

# Old versions must not lie in a folder whose name starts like that of the buckets: versitygw takes it for one inside.
mkdir -p "$data/buckets" "$data/versions"
end_with_starter "$data"
exec "$folder/versitygw" --quiet --access "$S3_ACCESS_KEY" --secret "$S3_SECRET_KEY" --region "$S3_REGION" \
    --port "127.0.0.1:$port" posix --versioning-dir "$data/versions" "$data/buckets"
