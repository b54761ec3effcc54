#!/bin/sh
# One cluster with curl and jq: cluster.sh plan|apply|wait|kubeconfig|delete TENANT NAME [SPEC.json]
# Reads ATOLL_URL (https://atoll.example.com) and ATOLL_TOKEN. Every verb may be repeated.
set -eu
verb=$1 cluster="$ATOLL_URL/api/v1/tenants/$2/clusters/$3" spec=${4:-}

# The token comes by standard input: arguments can be read by everybody on the machine.
# --retry sends again after 429 and 503, when Retry-After says; 4xx ends at once.
call() {
    printf 'header = "Authorization: Bearer %s"\n' "$ATOLL_TOKEN" |
        curl --config - --silent --show-error --retry 5 --header 'Content-Type: application/json' "$@"
}

case $verb in
plan)
    call --fail-with-body --request PUT --data "@$spec" "$cluster?dry_run=true" | jq '{action, changes}'
    ;;
apply)
    call --fail-with-body --request PUT --data "@$spec" "$cluster" |
        jq --raw-output '"generation \(.metadata.generation), \(.status.phase)"'
    ;;
wait)
    # 503: not yet, asked again for up to 15 minutes. 409: in vain, which is not asked again.
    call --fail-with-body --retry 1000 --retry-max-time 900 --output /dev/null "$cluster/ready?wait=30s"
    ;;
kubeconfig)
    # Good for an hour at most. It is not kept: ask for another one when it has ended.
    call --fail-with-body --request POST --data '{"lifetime": "30m"}' "$cluster/kubeconfig" |
        jq --exit-status --raw-output '.kubeconfig // error(.detail // "the worker is late: ask again")'
    ;;
delete)
    said=$(mktemp) && trap 'rm -f "$said"' EXIT
    status() { call --output "$said" --write-out '%{http_code}' "$@"; }
    code=$(status --request DELETE "$cluster?wait=60s") # 200: nothing is left of it; 202: still at work
    while [ "$code" = 202 ]; do
        sleep 2
        code=$(status "$cluster")
        [ "$code" != 200 ] || code=202
    done
    case $code in 200 | 404) ;; *) cat "$said" >&2 && exit 1 ;; esac
    ;;
*)
    echo "no such verb: $verb" >&2
    exit 2
    ;;
esac
