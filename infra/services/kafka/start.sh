#!/usr/bin/env bash
# start.sh DATA NODE CLIENT:CONTROLLER...: becomes broker NODE (from 1) of a cluster with a broker for each pair of ports.
# All listens on 127.0.0.1. Three brokers keep three replicas and ask for two in sync, one keeps one.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../places.sh"

data=$1 node=$2
shift 2
folder="$(folder_of kafka)"
[ -d "$folder" ] || fail "Kafka is not there yet; run infra/services/fetch.sh kafka"

voters="" own_ports="" number=0
for ports in "$@"; do
    number=$((number + 1))
    voters+="${voters:+,}$number@127.0.0.1:${ports#*:}"
    if [ "$number" = "$node" ]; then
        own_ports=$ports
    fi
done
replicas=1 in_sync=1 heap=384m
if [ "$number" -ge 3 ]; then
    replicas=3 in_sync=2 heap=256m
fi

mkdir -p "$data"
if [ ! -d "$data/log" ]; then
    rm -rf "$data/log.partial"
    cp -r "$folder/formatted/$node" "$data/log.partial"
    mv "$data/log.partial" "$data/log"
fi
cat >"$data/server.properties" <<END
process.roles=broker,controller
node.id=$node
controller.quorum.voters=$voters
listeners=PLAINTEXT://127.0.0.1:${own_ports%:*},CONTROLLER://127.0.0.1:${own_ports#*:}
advertised.listeners=PLAINTEXT://127.0.0.1:${own_ports%:*}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$data/log
num.partitions=1
# A topic that nobody made on purpose must be an error in tests as it is in production.
auto.create.topics.enable=false
default.replication.factor=$replicas
min.insync.replicas=$in_sync
offsets.topic.replication.factor=$replicas
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$in_sync
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$in_sync
share.coordinator.state.topic.num.partitions=2
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=16777216
# A broker that was killed is noticed within 2.5 s, and one that comes back does not wait out the old session of 9 s.
broker.session.timeout.ms=2500
broker.heartbeat.interval.ms=500
replica.lag.time.max.ms=5000
END

java="$(java17)"
end_with_starter "$data"
exec "$java" -Xms96m "-Xmx$heap" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "$(shared_classes "$folder")" \
    -Djava.awt.headless=true -Dorg.slf4j.simpleLogger.defaultLogLevel=info -Dorg.slf4j.simpleLogger.logFile=System.out \
    -cp "$folder/libs/*" kafka.Kafka "$data/server.properties"
