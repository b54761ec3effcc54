#!/bin/sh
# Removes from a node what tenants left: folders and logs of pods that are gone, volumes, images.
# Runs in a pod with the node's file system at /node (ROOT); what is in use or the platform's stays.
# Settings come before this text. Its report, one JSON object, is the pod's termination message.
set -euf
ROOT=${ROOT:-/node}
MESSAGE=${MESSAGE:-/dev/termination-log}
work=$(mktemp -d)

ctr() { chroot "$ROOT" "$CTR" --address "$SOCKET" --namespace k8s.io "$@"; }

# Lines on stdin as a JSON list of at most $1 words; signs that no name of ours has become "?".
words() {
  printf '[%s]' "$(head -n "$1" | sed 's|[^A-Za-z0-9._:/@+=-]|?|g; s|.*|"&"|' | paste -sd, -)"
}

count() { grep -c . "$1" || true; }

# "namespace/pod uid" of every container that the node's runtime knows.
containers() {
  ctr containers ls --quiet > "$work/ids"
  while read -r id; do
    # One that has just gone is no fault.
    ctr containers info "$id" 2>/dev/null | tr -d ' ",' | awk -F: '
      $1 == "io.kubernetes.pod.namespace" { ns = $2 }
      $1 == "io.kubernetes.pod.name" { name = $2 }
      $1 == "io.kubernetes.pod.uid" { uid = $2 }
      END { if (uid != "") print ns "/" name, uid }' || true
  done < "$work/ids" | sort -u
}

is_tenants() {
  case "$1" in
    atoll-system/* | atoll-node-wipe/*) return 1 ;;
    atoll-*) return 0 ;;
  esac
  return 1
}

# Something is still mounted on or below $1: its content may lie elsewhere, so hands off.
is_mounted() { awk -v at="$1" '$2 == at || index($2, at "/") == 1 { found = 1 } END { exit !found }' /proc/mounts; }

# Removes $2; notes it under "$work/$1.removed" or, where that cannot be, "$work/$1.left".
discard() {
  if ! is_mounted "$2" && rm -rf -- "$2" 2>/dev/null && ! [ -e "$2" ] && ! [ -L "$2" ]; then
    echo "${2##*/}" >> "$work/$1.removed"
  else
    echo "${2##*/}" >> "$work/$1.left"
  fi
}

entries() { [ ! -d "$1" ] || find "$1" -mindepth 1 -maxdepth 1; }

living() { grep -qF " $1" "$work/living"; }

# Which images are foreign. A name stays if a pattern has it; a digest if a name of it stays, and with all its
# names if a container runs it: the runtime tells only one of them, whichever it likes.
images() {
  ctr images ls | awk 'NR > 1 { print $1, $3 }' > "$work/all"
  ctr containers ls | awk 'NR > 1 { print $2 }' | sort -u > "$work/running"
  : > "$work/kept"
  while read -r name digest; do
    for pattern in $KEEP_IMAGES; do
      # shellcheck disable=SC2254 # it is a pattern
      case "$name" in $pattern) echo "$name $digest" >> "$work/kept"; break ;; esac
    done
  done < "$work/all"
  awk 'FILENAME ~ /running$/ { run[$1]; next } FILENAME ~ /kept$/ { kept[$2]; next }
    $1 in run && !($2 in kept) { print $2 }' "$work/running" "$work/kept" "$work/all" | sort -u > "$work/used"
  awk 'FILENAME ~ /used$/ { used[$1]; next } $2 in used' "$work/used" "$work/all" > "$work/more"
  cat "$work/more" >> "$work/kept"
  awk 'NR == FNR { name[$1]; digest[$2]; next }
    !($1 in name) && !($1 ~ /^sha256:|@/ && $2 in digest) { print $1 }' "$work/kept" "$work/all" > "$work/foreign"
  # For the report: a digest is only told where there is no plainer name for it.
  awk 'NR == FNR { if ($1 !~ /^sha256:|@/) plain[$2]; next }
    $1 !~ /^sha256:/ && ($1 !~ /@/ || !($2 in plain)) { print $1 }' "$work/kept" "$work/kept" > "$work/names"
}

for kind in containers pods logs volumes images; do : > "$work/$kind.removed"; : > "$work/$kind.left"; done

containers > "$work/living"
while read -r pod _; do
  if is_tenants "$pod"; then echo "$pod" >> "$work/containers.left"; fi
done < "$work/living"

for folder in $(entries "$ROOT$KUBELET/pods"); do
  living "${folder##*/}" || discard pods "$folder"
done
for folder in $(entries "$ROOT$POD_LOGS"); do
  living "${folder##*_}" || discard logs "$folder"
done
for store in $VOLUMES; do
  entries "$ROOT$store" > "$work/entries"
  while read -r folder; do
    printf '%s\n' "$KEEP_VOLUMES" | grep -qxF "${folder#"$ROOT"}" || discard volumes "$folder"
  done < "$work/entries"
done

images
cp "$work/foreign" "$work/images.removed"
if [ -s "$work/foreign" ]; then
  # The content goes with the last name; --sync waits until it has.
  xargs chroot "$ROOT" "$CTR" --address "$SOCKET" --namespace k8s.io images rm --sync \
    < "$work/foreign" > /dev/null
  images
  cp "$work/foreign" "$work/images.left"
fi

part() {
  printf '"%s":{"removed":%s,"names":%s,"left":%s' "$1" "$(count "$work/$1.removed")" \
    "$(words 5 < "$work/$1.removed")" "$(words 5 < "$work/$1.left")"
}
{
  printf '{"node":"%s",' "$NODE"
  for kind in containers pods logs volumes; do part $kind; printf '},'; done
  part images
  told=$(sort "$work/names" | head -c 3000 | grep -c . || true)
  printf ',"kept":%s,"untold":%s}}\n' "$(sort "$work/names" | words "$told")" "$(($(count "$work/names") - told))"
} > "$work/report"
cat "$work/report" > "$MESSAGE"
