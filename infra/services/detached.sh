#!/usr/bin/env bash
# detached.sh up|down|status|forget [NAME...]: servers for a developer, on the ports of versions.sh, until told to end.
# `cargo xtask services` calls this. Without names, up means kafka, cassandra and s3, and the others mean all there are.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/places.sh"

DATA="$CACHE/developer"
READY_WITHIN_SECONDS=180

# A line for each process of a service: where its data lies, the port it serves at, its script, and the words for that.
processes_of() {
    case "$1" in
        kafka) brokers kafka "$KAFKA_PORTS" ;;
        kafka3) brokers kafka3 "$KAFKA3_PORTS" ;;
        cassandra) echo "cassandra/1 $CASSANDRA_PORT cassandra/start.sh $CASSANDRA_PORT $CASSANDRA_STORAGE_PORT" ;;
        s3) echo "s3/1 $S3_PORT s3/start.sh $S3_PORT" ;;
        oidc) echo "oidc/1 $OIDC_PORT oidc/start.sh $OIDC_PORT $OIDC_PLAIN_PORT" ;;
        minio) echo "minio/1 $MINIO_PORT minio/start.sh $MINIO_PORT" ;;
        *) fail "there is no service named \"$1\"; there are kafka, kafka3, cassandra, s3, minio and oidc" ;;
    esac
}

brokers() {
    local name=$1 ports=$2 node=0 pair
    for pair in $ports; do
        node=$((node + 1))
        echo "$name/$node ${pair%:*} kafka/start.sh $node $ports"
    done
}

# What to tell a person, and the variables that let tests use the service instead of starting one.
addresses_of() {
    local addresses="" _folder port _rest
    while read -r _folder port _rest; do
        addresses+="${addresses:+,}127.0.0.1:$port"
    done < <(processes_of "$1")
    case "$1" in
        kafka) echo "$addresses   (SPOOL_TEST_KAFKA=$addresses)" ;;
        cassandra) echo "$addresses, user $CASSANDRA_USER, password $CASSANDRA_PASSWORD   (SPOOL_TEST_CASSANDRA=$addresses)" ;;
        s3 | minio) echo "http://$addresses, key $S3_ACCESS_KEY, secret $S3_SECRET_KEY, region $S3_REGION   (SPOOL_TEST_S3=http://$addresses)" ;;
        oidc) echo "http://$addresses (client spool, secret \"secret\"), and plain OAuth 2.0 at http://127.0.0.1:$OIDC_PLAIN_PORT" ;;
        *) echo "$addresses" ;;
    esac
}

# The process that serves from a folder, if it still does: a number alone may belong to another one by now.
process_at() {
    local folder=$1 process
    process="$(cat "$DATA/$folder.pid" 2>/dev/null)" || return 1
    grep -qsF "$DATA/$folder" "/proc/$process/cmdline" && echo "$process"
}

up() {
    local name=$1 folder port script words process ports="" deadline
    "$SERVICES/fetch.sh" "${name/#kafka3/kafka}"
    while read -r folder port script words; do
        ports+=" $folder:$port"
        if process_at "$folder" >/dev/null; then
            continue
        fi
        mkdir -p "$DATA/$folder"
        # shellcheck disable=SC2086 # each word is one
        setsid "$SERVICES/$script" "$DATA/$folder" $words >"$DATA/$folder.txt" 2>&1 </dev/null &
        echo $! >"$DATA/$folder.pid"
    done < <(processes_of "$name")

    deadline=$((SECONDS + READY_WITHIN_SECONDS))
    for folder in $ports; do
        port="${folder#*:}" folder="${folder%:*}"
        process="$(cat "$DATA/$folder.pid")"
        until serves "$name" "$folder" "$port"; do
            kill -0 "$process" 2>/dev/null ||
                fail "$name ended while starting; the last it said ($DATA/$folder.txt): $(tail -n 10 "$DATA/$folder.txt")"
            [ $SECONDS -lt $deadline ] || fail "$name did not serve within $READY_WITHIN_SECONDS s; see $DATA/$folder.txt"
            sleep 0.1
        done
    done
    echo "$name serves at $(addresses_of "$name")"
}

# A broker listens a moment before it is one.
serves() {
    local name=$1 folder=$2 port=$3
    case "$name" in
        kafka*) grep -q 'Kafka Server started' "$DATA/$folder.txt" ;;
        *) (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null ;;
    esac
}

down() {
    local name=$1 folder process processes="" _rest
    while read -r folder _rest; do
        if process="$(process_at "$folder")"; then
            kill -TERM "$process"
            processes+=" $process"
        fi
        rm -f "$DATA/$folder.pid"
    done < <(processes_of "$name")
    for process in $processes; do
        # The last of three brokers finds no majority left to sign off with, and would wait for one.
        for _ in {1..100}; do
            kill -0 "$process" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$process" 2>/dev/null || true
    done
    if [ -n "$processes" ]; then
        echo "$name has ended"
    fi
}

status() {
    local name=$1 folder running=0 all=0 _rest
    while read -r folder _rest; do
        all=$((all + 1))
        if process_at "$folder" >/dev/null; then
            running=$((running + 1))
        fi
    done < <(processes_of "$name")
    if [ $running -eq $all ]; then
        echo "$name serves at $(addresses_of "$name")"
    elif [ $running -gt 0 ]; then
        echo "$name: $running of $all run; up starts the others"
    else
        echo "$name does not run"
    fi
}

forget() {
    down "$1"
    rm -rf "${DATA:?}/$1"
    echo "$1 starts anew the next time"
}

main() {
    local what="${1:-}" name
    shift || true
    case "$what" in
        up) [ $# -gt 0 ] || set -- kafka cassandra s3 ;;
        down | status | forget) [ $# -gt 0 ] || set -- kafka kafka3 cassandra s3 minio oidc ;;
        *) fail "say what to do: up, down, status or forget" ;;
    esac
    for name in "$@"; do
        "$what" "$name"
    done
    exit
}

main "$@"
