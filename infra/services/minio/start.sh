#!/usr/bin/env bash
# start.sh DATA PORT: becomes MinIO on 127.0.0.1, which keeps objects below DATA.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../places.sh"

data=$1 port=$2
folder="$(folder_of minio)"
[ -d "$folder" ] || fail "MinIO is not there yet; run infra/services/fetch.sh minio"

mkdir -p "$data/drive"
end_with_starter "$data"
# Its console gets any free port: nobody looks at it.
MINIO_ROOT_USER="$S3_ACCESS_KEY" MINIO_ROOT_PASSWORD="$S3_SECRET_KEY" MINIO_REGION="$S3_REGION" MINIO_BROWSER=off \
    exec "$folder/minio" server --quiet --address "127.0.0.1:$port" "$data/drive"
