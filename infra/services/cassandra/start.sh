#!/usr/bin/env bash
# start.sh DATA CQL_PORT STORAGE_PORT [never-restarted]: becomes a Cassandra of one node on 127.0.0.1 that keeps everything
# below DATA. Told that it will never be restarted, it makes tables six times as fast, and forgets them when it ends.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../places.sh"

data=$1 cql_port=$2 storage_port=$3
here="$SERVICES/cassandra"
folder="$(folder_of cassandra)"
[ -d "$folder" ] || fail "Cassandra is not there yet; run infra/services/fetch.sh cassandra"

mkdir -p "$data"
sed -e "s|@DATA@|$data|" -e "s|@CQL_PORT@|$cql_port|" -e "s|@STORAGE_PORT@|$storage_port|" \
    "$here/cassandra.yaml" >"$data/cassandra.yaml"

flushes_schema=true
if [ "${4:-}" = never-restarted ]; then
    flushes_schema=false
fi

java="$(java17)"
end_with_starter "$data"
exec "$java" -Xms256m -Xmx384m -XX:MaxDirectMemorySize=192m -Xss512k -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    "$(shared_classes "$folder")" "@$here/jvm17.options" \
    "-Dcassandra.config=file://$data/cassandra.yaml" "-Dlogback.configurationFile=file://$here/logback.xml" \
    "-Dcassandra.storagedir=$data" "-Dcassandra.logdir=$data" -Dcassandra-foreground=yes \
    -Dcassandra.skip_wait_for_gossip_to_settle=0 -Dcassandra.ring_delay_ms=0 -Dcassandra.skip_schema_check=true \
    -Dcassandra.disable_mlock=true -Dcassandra.superuser_setup_delay_ms=0 -Dcassandra.auth_bcrypt_gensalt_log2_rounds=4 \
    "-Dcassandra.test.flush_local_schema_changes=$flushes_schema" \
    -cp "$folder/libs/*" org.apache.cassandra.service.CassandraDaemon
