#!/bin/sh
# Everything that must hold: set-up, format, types, layers, unit tests, and, where this machine lets us, the kernel's word.
# usage: npm test
set -eu
cd "$(dirname "$0")/.."
export PATH="$PATH:/usr/sbin:/sbin"
node -e 'const [a,b]=process.versions.node.split(".").map(Number);if(a<20||(a===20&&b<19)){console.error("netwhy: needs Node.js 20.19 or later, this is "+process.version);process.exit(1)}'
[ -d node_modules/vitest ] || { echo "netwhy: installing npm dependencies (npm ci)" >&2; npm ci --no-progress --silent; }
sh scripts/packages.sh
node scripts/build.mjs
npm run --silent check
npx --no-install vitest run --project unit

skip() { # skip REASON: says loudly which suites do not run here
  echo
  echo "=============================== SKIPPED: kernel suites ==============================="
  echo "reason: $1"
  find src lab test -name '*.kernel.test.ts' | sort | sed 's/^/  not run: /'
  echo "======================================================================================"
  exit 0
}
[ "$(id -u)" = 0 ] || skip "not root"
unshare -m -n --propagation private true 2>/dev/null || skip "this machine does not let us make mount and network namespaces"
for tool in ip iptables nft conntrack ipset; do command -v $tool >/dev/null 2>&1 || skip "$tool is not installed"; done
refusal=$(unshare -m -n --propagation private sh -ec '
  ip link add name probe0 type veth peer name probe1
  nft add table inet probe
  iptables -t nat -A POSTROUTING -j MASQUERADE' 2>&1) || skip "veth, nf_tables or NAT is missing in a namespace: $refusal"
npx --no-install vitest run --project kernel
