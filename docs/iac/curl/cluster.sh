#!/bin/sh
# One cluster with curl and jq: cluster.sh plan|apply|wait|running|kubeconfig|delete TENANT NAME [SPEC.json]
# Reads ATOLL_URL (https://atoll.example.com) and ATOLL_TOKEN. Every verb may be repeated.
set -eu
verb=$1 cluster="$ATOLL_URL/api/v1/tenants/$2/clusters/$3" spec=${4:-}

# The token comes by standard input: arguments can be read by everybody on the machine.
# --retry sends again after 429 and 503, when Retry-After says; 4xx ends at once.
call() {
    printf 'header = "Authorization: Bearer %s"\n' "$ATOLL_TOKEN" |
        curl --config - --silent --show-error --retry 5 --header 'Content-Type: application/json' "$@"
}

# The answer; a refusal is told in its own words, and ends this.
ask() { said=$(call --fail-with-body "$@") || { printf '%s\n' "$said" >&2 && exit 1; }; }
told() { printf '%s\n' "$said" | jq --raw-output "$@"; }

case $verb in
plan)
    ask --request PUT --data "@$spec" "$cluster?dry_run=true"
    told '{action, changes}'
    ;;
apply)
    ask --request PUT --data "@$spec" "$cluster"
    told '"generation \(.metadata.generation), \(.status.phase)"'
    ;;
wait)
    # 503: not yet, asked again for up to 15 minutes. 409: in vain, which is not asked again.
    call --fail-with-body --retry 1000 --retry-max-time 900 --output /dev/null "$cluster/ready?wait=30s"
    ;;
running)
    # Ready says that the cluster can be used, this that its add-ons run: for up to 15 minutes.
    look='.metadata.generation as $now | .status.conditions[] | select(.type == "AddOnsReady") |
        if .status == "True" and .observedGeneration == $now then "" else "\(.reason): \(.message)" end'
    end=$(($(date +%s) + 900))
    while :; do
        ask "$cluster"
        why=$(told "$look")
        [ -n "$why" ] || break
        [ "$(date +%s)" -lt "$end" ] || { echo "$why" >&2 && exit 1; }
        sleep 2
    done
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
