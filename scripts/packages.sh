#!/bin/sh
# Makes sure that the programs named as arguments exist, installing their Debian packages where that is possible.
# usage: sh scripts/packages.sh          installs nothing when all is there; says what it installs; never fails
set -u
packages=""
want() { command -v "$1" >/dev/null 2>&1 || packages="$packages $2"; }
PATH="$PATH:/usr/sbin:/sbin"
want ip iproute2
want iptables iptables
want iptables-legacy iptables
want nft nftables
want ipset ipset
want conntrack conntrack
want tcpdump tcpdump
want arping iputils-arping
want ping iputils-ping
want sysctl procps
want curl curl
want nsenter util-linux
[ -x /usr/bin/python3 ] || packages="$packages python3"
packages=$(printf '%s\n' $packages | sort -u | tr '\n' ' ')
[ -n "${packages# }" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "netwhy: missing on this machine (Debian packages: $packages); what needs them is skipped" >&2
  exit 0
fi
echo "netwhy: installing Debian packages: $packages" >&2
{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages; } >/dev/null 2>&1 ||
  echo "netwhy: apt-get could not install them; what needs them is skipped" >&2
exit 0
