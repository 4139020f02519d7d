#!/bin/bash
# kubectl for the reference lab: `patch --type merge` and `label`, carried out by the lab's own K, which re-syncs the rules.
. "$REFLAB" lib
ns='' verb='' patch='' words=()
while [ $# -gt 0 ]; do
  case $1 in
    -n | --namespace) ns=$2; shift 2 ;;
    -p) patch=$2; shift 2 ;;
    --type) [ "$2" = merge ] || { echo "kubectl of the lab: only merge patches" >&2; exit 1; }; shift 2 ;;
    --type=merge | --overwrite) shift ;;
    -*) echo "kubectl of the lab: unknown flag $1" >&2; exit 1 ;;
    *) if [ -z "$verb" ]; then verb=$1; else words+=("$1"); fi; shift ;;
  esac
done
case $verb in
  patch) K patch "${words[0]}/${words[1]}" "$patch" ;;
  label) K patch "${words[0]}/${words[1]}" "{\"metadata\":{\"labels\":{\"${words[2]%%=*}\":\"${words[2]#*=}\"}}}" ;;
  *) echo "kubectl of the lab: cannot $verb" >&2; exit 1 ;;
esac
