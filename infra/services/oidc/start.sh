#!/usr/bin/env bash
# start.sh DATA PORT PLAIN_PORT: becomes an OpenID provider (oidc-provider) on 127.0.0.1, with a stand-in for a provider of
# plain OAuth 2.0 at the second port. It remembers nothing from one start to the next.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../places.sh"

data=$1 port=$2 plain_port=$3
folder="$(folder_of oidc)"
[ -d "$folder" ] || fail "the OpenID provider is not there yet; run infra/services/fetch.sh oidc"
node="$(new_enough_node)"

# Node looks for packages beside the script.
mkdir -p "$data"
cp "$SERVICES"/oidc/*.mjs "$data"
ln -sfn "$folder/node_modules" "$data/node_modules"
end_with_starter "$data"
exec "$node" "$data/provider.mjs" "$port" "$plain_port"
