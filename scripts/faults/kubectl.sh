#!/bin/bash
# kubectl for the reference lab: `patch` and `label`, carried out by the lab's own K, which re-syncs the rules of its kube-proxy.
# Exit code 90: the lab has nothing that could do this (no CNI, no controllers, no policy engine).
. "$REFLAB" lib
verb='' patch='' words=()
while [ $# -gt 0 ]; do
  case $1 in
    -n | --namespace | --type) shift 2 ;;
    -p) patch=$2; shift 2 ;;
    -*) shift ;;
    *) if [ -z "$verb" ]; then verb=$1; else words+=("$1"); fi; shift ;;
  esac
done
nothing() { echo "kubectl of the lab: nothing here to $verb ${words[0]}" >&2; exit 90; }
case $verb in
  patch)
    [ "${words[0]}" = service ] || nothing
    # K merges as RFC 7386; the API server merges the ports of a Service by `port`, and labels of a selector are replaced here.
    K patch "${words[0]}/${words[1]}" "$($PY - "$LAB/api/service_${words[1]}.json" "$patch" <<'P'
import json,sys
old=json.load(open(sys.argv[1])); p=json.loads(sys.argv[2]); spec=p.get('spec',{})
if 'ports' in spec:
    mine={x['port']:x for x in spec['ports']}
    spec['ports']=[{**x,**mine.get(x['port'],{})} for x in old['spec']['ports']]
print(json.dumps(p))
P
)" ;;
  *) nothing ;;
esac
