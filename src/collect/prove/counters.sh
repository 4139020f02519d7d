# Prints the counters of one network namespace that say where packets are lost, changes nothing.
# Arguments: the programs to ask for rules (iptables-save …), `nft`, and after `--` texts of rules that are wanted besides
# those that drop or reject.
set -u
LC_ALL=C
export LC_ALL
tools=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  tools="$tools $1"
  shift
done
[ $# -gt 0 ] && shift
SUSPECTS=$(printf '%s\n' "$@")
export SUSPECTS
have() { command -v "$1" >/dev/null 2>&1; }
within() { if have timeout; then timeout 4 "$@"; else "$@"; fi; }
for tool in $tools; do
  have "$tool" || continue
  echo "=== $tool"
  case $tool in
    nft) within nft list ruleset 2>/dev/null | awk '
        /^table /{print; next} /^\tchain /{print; next}
        /counter packets/ && / (drop|reject)/{print; next}
        {n = split(ENVIRON["SUSPECTS"], s, "\n"); for (i = 1; i <= n; i++) if (s[i] != "" && index($0, s[i])) {print; next}}' ;;
    *) within "$tool" -c 2>/dev/null | awk '
        /^\*/{print; next} /^:/{if ($2 != "-") print; next} / -j (DROP|REJECT)( |$)/{print; next}
        {n = split(ENVIRON["SUSPECTS"], s, "\n"); for (i = 1; i <= n; i++) if (s[i] != "" && index($0, s[i])) {print; next}}' ;;
  esac | head -c 400000
done
echo '=== netstat'
cat /proc/net/netstat /proc/net/snmp 2>/dev/null | head -c 40000
echo '=== link'
ip -s -j link show 2>/dev/null | head -c 2000000
echo
echo '=== qdisc'
have tc && tc -s -j qdisc show 2>/dev/null | head -c 2000000
echo
echo '=== neighbour'
ip -j neigh show 2>/dev/null | head -c 2000000
echo
echo '=== end'
