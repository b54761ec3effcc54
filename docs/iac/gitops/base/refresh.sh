#!/bin/sh
# Puts a fresh credential of a cluster into a Secret, as FORM=argocd or FORM=flux reads it.
# Reads ATOLL_URL, ATOLL_TOKEN, TENANT, CLUSTER and SECRET (its name); needs curl, jq and kubectl.
set -eu
umask 077
fresh=$(mktemp) && trap 'rm -f "$fresh"' EXIT

printf 'header = "Authorization: Bearer %s"\n' "$ATOLL_TOKEN" |
    curl --config - --silent --show-error --fail-with-body --retry 5 \
        --request POST --header 'Content-Type: application/json' --data '{"lifetime": "60m"}' \
        "$ATOLL_URL/api/v1/tenants/$TENANT/clusters/$CLUSTER/kubeconfig" |
    jq --exit-status --raw-output '.kubeconfig // error(.detail // "the worker is late: the next run asks again")' >"$fresh"

case $FORM in
argocd)
    labels='{"argocd.argoproj.io/secret-type": "cluster"}'
    data='.clusters[0].cluster as $at | {
      name: .contexts[0].name,
      server: $at.server,
      config: {
        bearerToken: .users[0].user.token,
        tlsClientConfig: ({caData: $at["certificate-authority-data"]}
          + if $at["tls-server-name"] then {serverName: $at["tls-server-name"]} else {} end)
      } | tojson
    }'
    ;;
flux)
    labels='{}'
    data='{value: $kubeconfig}'
    ;;
esac

# Applied by the server: kubectl keeps no second copy of the credential in an annotation.
kubectl config view --kubeconfig "$fresh" --raw --output json |
    jq --arg name "$SECRET" --argjson labels "$labels" --rawfile kubeconfig "$fresh" '{
      apiVersion: "v1", kind: "Secret", metadata: {name: $name, labels: $labels}, stringData: ('"$data"')
    }' |
    kubectl apply --server-side --force-conflicts --field-manager atoll-refresh --filename -
