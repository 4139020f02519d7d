#!/bin/sh
# The demo: something is broken between two pods; netwhy says what. On the real kernel where this machine lets us,
# else on a recorded incident. Leaves nothing behind.
# usage: npm start
set -eu
cd "$(dirname "$0")/.."
export PATH="$PATH:/usr/sbin:/sbin"
node -e 'const [a,b]=process.versions.node.split(".").map(Number);if(a<20||(a===20&&b<19)){console.error("netwhy: needs Node.js 20.19 or later, this is "+process.version);process.exit(4)}'
[ -d node_modules/esbuild ] || { echo "netwhy: installing npm dependencies (npm ci)" >&2; npm ci --no-progress --silent; }
sh scripts/packages.sh
node scripts/build.mjs --if-stale

from=pod/tools/client
to=svc/shop/api:8080
recorded=demo/fdb-missing.tar.gz

step() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }

# why exits with 1 for a broken connection, which is what a demo of it shows; 2 and 4 are ours.
ask() {
  step "netwhy why $*"
  code=0
  ./netwhy why "$@" || code=$?
  case $code in 0 | 1 | 3) ;; *) exit "$code" ;; esac
}

may_lab() {
  [ "$(id -u)" = 0 ] || { reason="not root"; return 1; }
  unshare -m -n --propagation private true 2>/dev/null || { reason="this machine makes no network namespaces"; return 1; }
}

down() { ./netwhy lab down >/dev/null 2>&1 || true; }

reason=""
if may_lab; then
  # A lab that is up already is somebody's: the demo then makes one of its own beside it.
  state=${NETWHY_LAB_DIR:-/run/netwhy-lab}
  if [ -e "$state" ]; then
    export NETWHY_LAB_DIR=/run/nwdemo-lab NETWHY_LAB_PREFIX=nwdemo-
  fi
  trap down EXIT
  trap 'exit 130' INT TERM HUP
  step netwhy lab up
  if ./netwhy lab up; then
    step netwhy lab break fdb-missing
    ./netwhy lab break fdb-missing
    step "what the client sees, six times"
    for _ in 1 2 3 4 5 6; do
      ./netwhy lab exec "$from" -- node dist/lab-server.js probe tcp 10.96.10.20 8080 700
    done
    ask "$from" "$to" --lab
    step netwhy lab heal
    ./netwhy lab heal
    ask "$from" "$to" --lab
    exit 0
  fi
  reason="the lab does not start here"
fi

echo "netwhy: no lab ($reason): this is an incident recorded on one" >&2
[ -e "$recorded" ] || { echo "netwhy: $recorded is missing" >&2; exit 4; }
ask "$from" "$to" --snapshot "$recorded"
