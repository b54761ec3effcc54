#!/bin/sh
# A version of an add-on with curl and jq: add-on.sh plan|publish|remove NAME VERSION [OBJECTS.yaml]
# Reads ATOLL_URL (https://atoll.example.com) and ATOLL_TOKEN, an admin's that was made for decisions. Publishing the same again
# changes nothing; other objects under the same number are refused (409): give the next number.
set -eu
verb=$1 version="$ATOLL_URL/api/v1/add-ons/$2/versions/$3" objects=${4:-}

# The token comes by standard input: arguments can be read by everybody on the machine.
call() {
    printf 'header = "Authorization: Bearer %s"\n' "$ATOLL_TOKEN" |
        curl --config - --silent --show-error --fail-with-body --retry 5 --header 'Content-Type: application/json' "$@"
}

# The answer; a refusal is told in its own words, and ends this.
ask() { said=$(call "$@") || { printf '%s\n' "$said" >&2 && exit 1; }; }
told() { printf '%s\n' "$said" | jq --raw-output "$@"; }

# In a file: manifests may be longer than an argument.
body=$(mktemp) && trap 'rm -f "$body"' EXIT
wish() { jq --null-input --rawfile objects "$objects" '{spec: {manifests: $objects}}' >"$body"; }

case $verb in
plan)
    wish && ask --request PUT --data "@$body" "$version?dry_run=true" && told .action
    ;;
publish)
    wish && ask --request PUT --data "@$body" "$version" && told '"\(.metadata.name) \(.metadata.version)"'
    ;;
remove)
    ask --request DELETE "$version"
    ;;
*)
    echo "no such verb: $verb" >&2
    exit 2
    ;;
esac
