# Where things lie and how servers end, for the scripts beside this file, which source it.

SERVICES="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$SERVICES/versions.sh"

# Everything fetched lies below the target folder, as the builds do.
case "${CARGO_TARGET_DIR:=target}" in
    /*) CACHE="$CARGO_TARGET_DIR/services" ;;
    *) CACHE="$(cd "$SERVICES/../.." && pwd)/$CARGO_TARGET_DIR/services" ;;
esac

# Says what went wrong and what to do about it, and ends the script.
fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# The folder that holds a server once it was fetched. It exists whole or not at all.
folder_of() {
    case "$1" in
        kafka) echo "$CACHE/kafka-$KAFKA_VERSION" ;;
        cassandra) echo "$CACHE/cassandra-$CASSANDRA_VERSION" ;;
        s3) echo "$CACHE/versitygw-$VERSITYGW_VERSION" ;;
        oidc) echo "$CACHE/oidc-provider-$OIDC_PROVIDER_VERSION" ;;
        minio) echo "$CACHE/minio-$MINIO_VERSION" ;;
        mail) echo "$CACHE/aiosmtpd-$AIOSMTPD_VERSION" ;;
        kurrentdbclient) echo "$CACHE/kurrentdbclient-$KURRENTDBCLIENT_VERSION" ;;
        openapi-python-client) echo "$CACHE/openapi-python-client-$OPENAPI_PYTHON_CLIENT_VERSION-$OPENAPI_SPEC_VALIDATOR_VERSION-$PYJWT_VERSION" ;;
        *) fail "there is no service named \"$1\"; there are kafka, cassandra, s3, minio, mail, oidc, kurrentdbclient and openapi-python-client" ;;
    esac
}

# Prints where Java 17 is: what both Kafka and Cassandra run on.
java17() {
    local java
    for java in "${JAVA_HOME:-/nowhere}/bin/java" "$(command -v java || true)" /usr/lib/jvm/*-17-*/bin/java; do
        # The file beside every JDK tells its version without the time that starting it takes.
        if [ -x "$java" ] && grep -qs '^JAVA_VERSION="17\.' "$(readlink -f "$java" | xargs dirname)/../release"; then
            echo "$java"
            return
        fi
    done
    fail "found no Java 17; install openjdk-17-jre-headless (cargo xtask test does so), or set JAVA_HOME"
}

# Prints where a Node.js is that can run the OpenID provider: the machine's, or the one that xtask installed.
new_enough_node() {
    local node
    for node in "$(command -v node || true)" "${CACHE%/services}/xtask/node-bin/node"; do
        if [ -x "$node" ] && [ "$(printf '%s\n' "v$NODE_OLDEST" "$("$node" --version)" | sort --version-sort | head -n 1)" = "v$NODE_OLDEST" ]; then
            echo "$node"
            return
        fi
    done
    fail "found no Node.js $NODE_OLDEST or newer; install it (cargo xtask test does so)"
}

# Prints the option that spares a JVM parsing its classes anew, which is a third of its start. fetch.sh makes the archive.
shared_classes() {
    if [ -n "${SPOOL_ARCHIVE_CLASSES:-}" ]; then
        echo "-XX:ArchiveClassesAtExit=$SPOOL_ARCHIVE_CLASSES"
    elif [ -e "$1/classes.jsa" ]; then
        echo "-XX:SharedArchiveFile=$1/classes.jsa"
    else
        echo "-Xshare:auto"
    fi
}

# Prints where the machine's own Go is, if it is new enough to build the servers.
machine_go() {
    local go version
    go="$(command -v go)" || return 1
    version="$("$go" env GOVERSION 2>/dev/null)" || return 1
    [ "$(printf '%s\n' "go$GO_OLDEST" "$version" | sort --version-sort | head -n 1)" = "go$GO_OLDEST" ] || return 1
    echo "$go"
}

# Ends this process, which is about to become a server, together with the one that started it, whatever ended that.
# With SPOOL_TIED=1 standard input is a pipe whose other end only the starter holds: a word on it lets the watcher go,
# its end means that the starter is gone, and then the server is killed and its data removed.
end_with_starter() {
    local data=$1
    if [ -z "${SPOOL_TIED:-}" ]; then
        return
    fi
    exec 3<&0
    (
        trap '' HUP INT TERM
        if read -r _ <&3; then
            exit
        fi
        kill -KILL $$
        for _ in {1..100}; do
            if ! kill -0 $$ || grep -q '^State:.*Z' "/proc/$$/status"; then
                break
            fi
            sleep 0.1
        done
        rm -rf "$data"
        # The last of several brokers takes the folder with it that they share.
        rmdir "$(dirname "$data")"
    ) </dev/null >/dev/null 2>&1 &
    exec 3<&- </dev/null
}
