#!/bin/sh
# Reads the network state of one Linux node, changes nothing, and writes a tar of raw command outputs to stdout.
#
#   ssh root@node sh -s < collect.sh > node.tar        (then: netwhy why … --snapshot node.tar)
#   sh -s -- [--node NAME] [--scope machine|netns] [--pod NS/NAME=netns:NAME|pid:PID]… [--no-pods]
#            [--timeout SECONDS] [--command-timeout SECONDS] < collect.sh
#
# --scope netns: the node is a network namespace of a shared machine, so files and logs of the machine are not its own.
# Plain POSIX sh (dash, busybox ash, bash --posix). Needs cat, find, grep, awk, tar, mktemp, rm, mkdir; the rest is used
# when it is there, and its absence is recorded. Layout and index format: docs/formats.md.
# It never reads Secrets, key material or tokens, never loads netfilter tables, ip_vs, nf_tables or ip_set to look into them,
# and keeps its only files in one temporary folder, which is gone when it ends, also on HUP, INT and TERM.

write_inner() {
  cat >"$W/inner.sh" <<'INNER'
# One network namespace: $1 full|pod, $2 its folder below $OUT, $3 the index to append to. Runs inside the namespace.
mode=$1 D=$2 INDEX=$3
O=$OUT/$D
mkdir -p "$O"
# An artefact over the limit is cut short by SIGXFSZ (exit code 153) instead of filling the disk.
ulimit -c 0 2>/dev/null
# In the background and waited for: only so does a shell act on a signal while a command runs.
child=
trap '[ -z "$child" ] || kill "$child" 2>/dev/null; exit 143' TERM
ulimit -f "$LIMIT_BLOCKS" 2>/dev/null

now() { # seconds and centiseconds since boot, without starting a process
  read -r up rest </proc/uptime
  cs=$((${up%.*} * 100 + 1${up#*.} - 100))
}
title=
record() { # PATH EXIT CENTISECONDS COMMAND
  printf '%s\t%s\t%d.%02d\t%s\n' "$D/$1" "$2" $(($3 / 100)) $(($3 % 100)) "${title:-$4}" >>"$INDEX"
  title=
}
run() { # ARTEFACT COMMAND…
  a=$1
  shift
  now
  start=$cs
  if [ "$cs" -gt "$DEADLINE" ]; then
    printf 'not run: the time for this node was up\n' >"$O/$a.stderr"
    record "$a" 124 0 "$*"
    return 124
  fi
  printf '%s\n' "$a" >"$INDEX.now"
  $EACH "$@" >"$O/$a" 2>"$O/$a.stderr" </dev/null &
  child=$!
  wait $child
  rc=$?
  now
  [ $rc -eq 0 ] || [ -s "$O/$a" ] || rm -f "$O/$a"
  record "$a" $rc $((cs - start)) "$*"
  return $rc
}
known_empty() { # ARTEFACT REASON: nothing there, known without asking
  : >"$O/$1"
  record "$1" 0 0 "$2"
}
has() { command -v "$1" >/dev/null 2>&1; }
# ARTEFACT TITLE SHELL-TEXT: several commands that make one artefact; the index tells the title.
script() {
  title=$2
  run "$1" sh -c "$3"
}

run ip-link.json ip -d -s -j link show
run ip-addr.json ip -d -j addr show
run ip-route.json ip -d -j -4 route show table all
run ip6-route.json ip -d -j -6 route show table all
run ip-rule.json ip -d -j -4 rule show
run ip6-rule.json ip -d -j -6 rule show
run ip-neigh.json ip -j neigh show nud all
if [ "$mode" = full ]; then
  run ip-neigh-proxy.json ip -j neigh show proxy
  run ip-nexthop.json ip -d -j nexthop show
  run bridge-link.json bridge -d -j link show
  run bridge-fdb.json bridge -d -j fdb show
  run bridge-vlan.json bridge -j vlan show
fi

# nf_tables first: an empty ruleset tells that iptables-nft has nothing either.
nft_empty=no
if [ "$HAS_NFT" = no ]; then
  nft_empty=yes
  known_empty nft-ruleset.txt 'nft -a list ruleset (not run: the kernel has not loaded nf_tables)'
  [ "$mode" = full ] && known_empty nft-ruleset.json 'nft -j list ruleset (not run: the kernel has not loaded nf_tables)'
else
  if run nft-ruleset.txt nft -a list ruleset && [ ! -s "$O/nft-ruleset.txt" ]; then nft_empty=yes; fi
  [ "$mode" = full ] && run nft-ruleset.json nft -j list ruleset
fi
save() { # 4|6: every iptables back end of one family
  if [ "$1" = 4 ]; then c=iptables names=/proc/net/ip_tables_names; else c=ip6tables names=/proc/net/ip6_tables_names; fi
  # Asking iptables-legacy for a table creates it; the kernel's own list of existing tables is asked instead.
  legacy=unknown
  if [ ! -e "$names" ]; then
    legacy=none
  elif (: <"$names") 2>/dev/null; then
    legacy=none
    while read -r line; do [ -n "$line" ] && legacy=some; done <"$names"
  fi
  if [ "$legacy" = none ] && [ "$nft_empty" = yes ]; then
    known_empty "$c-save.txt" "$c-save -c (not run: $names and the nft ruleset are empty)"
    [ "$IPTABLES_MODE" = legacy ] || known_empty "$c-legacy-save.txt" "$c-legacy-save -c (not run: $names is empty)"
    return
  fi
  if [ "$IPTABLES_MODE" = legacy ]; then
    if [ "$legacy" = none ]; then
      known_empty "$c-save.txt" "$c-save -c (not run: $names is empty)"
    else
      run "$c-save.txt" "$c-save" -c
    fi
    if [ "$nft_empty" = yes ]; then
      known_empty "$c-nft-save.txt" "$c-nft-save -c (not run: the nft ruleset is empty)"
    elif has "$c-nft-save"; then
      run "$c-nft-save.txt" "$c-nft-save" -c
    fi
    return
  fi
  run "$c-save.txt" "$c-save" -c
  if [ "$legacy" = none ]; then
    known_empty "$c-legacy-save.txt" "$c-legacy-save -c (not run: $names is empty)"
  else
    run "$c-legacy-save.txt" "$c-legacy-save" -c
  fi
}
save 4
save 6
if [ "$HAS_IPSET" = no ]; then
  known_empty ipset-save.txt 'ipset save (not run: the kernel has not loaded ip_set)'
else
  run ipset-save.txt ipset save
fi
if [ ! -e /proc/net/ip_vs ]; then
  known_empty ipvsadm.txt 'ipvsadm -Sn (not run: the kernel has not loaded ip_vs)'
elif has ipvsadm; then
  run ipvsadm.txt ipvsadm -Sn
  [ "$mode" = full ] && run ipvsadm-stats.txt ipvsadm -Ln --stats --exact
  [ "$mode" = full ] && run ipvsadm-connections.txt ipvsadm -Lnc
else
  run proc-ip_vs.txt cat /proc/net/ip_vs
  record ipvsadm.txt 127 0 'ipvsadm -Sn'
  printf 'ipvsadm: not found\n' >"$O/ipvsadm.txt.stderr"
fi

entries=
[ ! -r /proc/sys/net/netfilter/nf_conntrack_count ] || read -r entries </proc/sys/net/netfilter/nf_conntrack_count
if [ ! -e /proc/sys/net/netfilter/nf_conntrack_count ]; then
  known_empty conntrack.txt 'conntrack -L (not run: the kernel does not track connections here)'
elif [ "$entries" = 0 ]; then
  known_empty conntrack.txt 'conntrack -L (not run: net.netfilter.nf_conntrack_count is 0)'
elif has conntrack; then
  script conntrack.txt 'conntrack -L -f ipv4 -o extended; conntrack -L -f ipv6 -o extended' \
    'conntrack -L -f ipv4 -o extended && conntrack -L -f ipv6 -o extended'
else
  run conntrack.txt cat /proc/net/nf_conntrack
fi
if [ "$mode" = full ]; then
  [ -z "$entries" ] || run conntrack-stats.txt conntrack -S
  [ ! -r /proc/net/nf_conntrack_expect ] || run conntrack-expect.txt cat /proc/net/nf_conntrack_expect
fi

# /proc/sys/net is that of the reading process's namespace. printf is built in: no limit on the number of links.
# shellcheck disable=SC2016
script sysctl.txt 'the files of /proc/sys/net, as key = value' '
  cd /proc/sys/net || exit 1
  { printf "%s\n" ipv4/* ipv6/* netfilter/* bridge/* ipv4/vs/* ipv4/route/[!f]* ipv6/route/[!f]* \
      ipv4/neigh/default/* ipv6/neigh/default/* \
      core/somaxconn core/netdev_max_backlog core/default_qdisc core/rmem_* core/wmem_*
    for k in forwarding rp_filter proxy_arp proxy_arp_pvlan arp_ignore arp_announce arp_filter arp_accept arp_notify \
      route_localnet accept_local send_redirects accept_redirects secure_redirects shared_media log_martians \
      src_valid_mark accept_source_route ignore_routes_with_linkdown disable_policy disable_xfrm; do
      printf "%s\n" ipv4/conf/*/$k
    done
    for k in forwarding disable_ipv6 accept_dad dad_transmits accept_ra accept_ra_defrtr accept_ra_from_local autoconf \
      proxy_ndp accept_redirects addr_gen_mode mtu ignore_routes_with_linkdown keep_addr_on_down optimistic_dad \
      hop_limit seg6_enabled; do
      printf "%s\n" ipv6/conf/*/$k
    done
  } | xargs grep -sH "" /dev/null | awk "{
    i = index(\$0, \":\"); k = substr(\$0, 1, i - 1); v = substr(\$0, i + 1)
    if (k ~ /(_key|secret)\$/) next
    gsub(/[.]/, \"\\001\", k); gsub(/\\//, \".\", k); gsub(/\\001/, \"/\", k)
    print \"net.\" k \" = \" v
  }"'

run ss.txt ss -H -antuwpe
run tc-qdisc.json tc -s -d -j qdisc show
# Filters hang on qdiscs that classify; each such device is asked for by name.
classifies=unknown
if [ -s "$O/tc-qdisc.json" ]; then
  classifies=no
  while read -r line || [ -n "$line" ]; do
    while :; do
      case $line in *'"kind":"'*) line=${line#*'"kind":"'} ;; *) break ;; esac
      case ${line%%'"'*} in noqueue | mq | fq_codel | pfifo_fast | fq | pfifo | bfifo | tbf | netem | cake | codel | sfq) ;; *) classifies=yes ;; esac
    done
  done <"$O/tc-qdisc.json"
fi
[ $classifies = no ] && known_empty tc-filter.txt 'tc filter show (not run: no qdisc here has filters)'
# shellcheck disable=SC2016
[ $classifies = no ] || script tc-filter.txt 'tc -s -d filter show, per classifying qdisc' '
  tc qdisc show >/dev/null || exit
  tc qdisc show | awk "\$1 == \"qdisc\" && \$2 !~ /^(noqueue|mq|fq_codel|pfifo_fast|fq|pfifo|bfifo|tbf|netem|cake|codel|sfq)\$/ {
    for (i = 3; i < NF; i++) if (\$i == \"dev\") print \$2, \$3, \$(i + 1) }" |
  while read -r kind handle dev; do
    case $kind in
      clsact) for p in ingress egress; do echo "# dev $dev $p"; tc -s -d filter show dev "$dev" $p; done ;;
      ingress) echo "# dev $dev ingress"; tc -s -d filter show dev "$dev" ingress ;;
      *) echo "# dev $dev parent $handle"; tc -s -d filter show dev "$dev" parent "$handle" ;;
    esac
  done'
if has nstat; then
  run nstat.txt nstat -asz
else
  script proc-net-counters.txt 'cat /proc/net/snmp /proc/net/netstat /proc/net/snmp6' \
    'cat /proc/net/snmp /proc/net/netstat; [ ! -e /proc/net/snmp6 ] || cat /proc/net/snmp6'
  record nstat.txt 127 0 'nstat -asz'
  printf 'nstat: not found\n' >"$O/nstat.txt.stderr"
fi
if [ "$mode" = full ]; then
  script proc-net-stat.txt 'grep -H "" /proc/net/softnet_stat /proc/net/stat/{arp_cache,ndisc_cache,rt_cache,nf_conntrack}' '
    grep -sH "" /proc/net/softnet_stat /proc/net/stat/arp_cache /proc/net/stat/ndisc_cache /proc/net/stat/nf_conntrack
    true'
fi

# Identity: the inode of the namespace, and the nsids it uses for others, with their inodes where they have a name or a process.
now
start=$cs
{
  n=$(ls -l /proc/self/ns/net)
  n=${n##*net:[}
  echo "inode ${n%]*}"
  [ -z "$NETNS_NAME" ] || echo "name $NETNS_NAME"
  $EACH ip netns list-id 2>/dev/null >"$O/.ids"
  while read -r w id x; do
    [ "$w" = nsid ] || continue
    case $x in *'netns name: '*) x=${x##*netns name: } x=${x%)*} ;; *) x= ;; esac
    i=
    if [ -n "$x" ] && [ -n "$NETNS_INODES" ]; then
      while read -r ino name; do [ "$name" != "$x" ] || i=$ino; done <"$NETNS_INODES"
    fi
    echo "nsid $id ${i:--} $x"
  done <"$O/.ids"
} >"$O/netns.txt" 2>"$O/netns.txt.stderr"
now
record netns.txt 0 $((cs - start)) 'ls -l /proc/self/ns/net; ip netns list-id'

[ -z "$RESOLV_CONF" ] || run resolv.conf cat "$RESOLV_CONF"
[ -z "$HOSTS" ] || run hosts cat "$HOSTS"
exit 0
INNER
}

has() { command -v "$1" >/dev/null 2>&1; }

# A container must not make us read a file of the machine through a symbolic link in its own file system.
file_of() { # PID PATH-BELOW-ITS-ROOT → prints a path that is safe to read, or nothing
  r=/proc/$1/root
  [ -L "$r/etc" ] || [ -L "$r$2" ] || [ ! -f "$r$2" ] || printf '%s' "$r$2"
}

enter() { # KIND NAME-OR-PID COMMAND… (does not return)
  entry=$1 target=$2
  shift 2
  # timeout(1) leads a process group of its own: the limit stops the whole pod.
  case $entry in
    netns) if has nsenter; then exec $T nsenter --net="$(netns_path "$target")" "$@"; else exec $T ip netns exec "$target" "$@"; fi ;;
    pid) exec $T nsenter --net="/proc/$target/ns/net" "$@" ;;
  esac
}
netns_path() { if [ -e "/run/netns/$1" ]; then echo "/run/netns/$1"; else echo "/var/run/netns/$1"; fi; }

collect_pod() { # FOLDER KIND WHERE INDEX
  RESOLV_CONF='' HOSTS='' NETNS_NAME=''
  if [ "$2" = netns ]; then
    NETNS_NAME=$3
    [ ! -f "/etc/netns/$3/resolv.conf" ] || RESOLV_CONF=/etc/netns/$3/resolv.conf
    [ ! -f "/etc/netns/$3/hosts" ] || HOSTS=/etc/netns/$3/hosts
  else
    RESOLV_CONF=$(file_of "$3" /etc/resolv.conf)
    HOSTS=$(file_of "$3" /etc/hosts)
  fi
  # One time limit around the whole pod: it saves a process per command, which 110 pods feel.
  EACH=''
  export RESOLV_CONF HOSTS NETNS_NAME EACH
  enter "$2" "$3" sh "$W/inner.sh" pod "$1" "$4" </dev/null >"$4.said" 2>&1 &
  child=$!
  wait $child
  rc=$?
  # Out of time: the artefact that was being read is incomplete.
  if [ $rc -ge 124 ] && [ -s "$4.now" ]; then
    read -r a <"$4.now"
    printf '%s/%s\t124\t0.00\tstopped: the pod took too long\n' "$1" "$a" >>"$4"
  fi
  # Nothing of it ran: say why, under the first thing a reader looks for.
  if [ ! -e "$OUT/$1/netns.txt" ]; then
    mkdir -p "$OUT/$1"
    cat "$4.said" >"$OUT/$1/netns.txt.stderr" 2>/dev/null
    printf '%s\t%s\t0.00\t%s\n' "$1/netns.txt" "$rc" "enter $2:$3" >>"$4"
  fi
}

# Lines "FOLDER KIND WHERE NAMESPACE NAME UID INODE" of every pod netns of this machine, found without asking any runtime per pod:
# cgroup paths name the pod's UID; /var/log/pods (kept by the kubelet) and crictl name the pod of a UID.
find_pods() {
  own=$(inode_of self)
  one=$(inode_of 1)
  : >"$W/names"
  if [ -d /var/log/pods ]; then
    for d in /var/log/pods/*_*_*; do
      [ -d "$d" ] || continue
      d=${d##*/}
      uid=${d##*_}
      d=${d%_*}
      echo "$uid ${d%%_*} ${d#*_}" >>"$W/names"
    done
  fi
  if [ ! -s "$W/names" ]; then runtime_names >>"$W/names" 2>"$OUT/node/pods.tsv.stderr"; fi
  # …/pod1234abcd-…/… (cgroupfs) or …-pod1234abcd_….slice/… (systemd); static pods have a hash of 32 digits for a UID.
  grep -sH 'pod' /proc/[0-9]*/cgroup 2>/dev/null |
    sed -n 's#^/proc/\([0-9]*\)/cgroup:.*pod\([0-9a-f][-_0-9a-f]\{31,35\}\)\([./].*\)\{0,1\}$#\2 \1#p' |
    awk '{ gsub(/_/, "-", $1); if (n[$1]++ < 8) print $1, $2 }' >"$W/pids"
  while read -r uid pid; do
    ino=$(inode_of "$pid")
    [ -n "$ino" ] && [ "$ino" != "$own" ] && [ "$ino" != "$one" ] && echo "$uid $pid $ino"
  done <"$W/pids" | awk '!seen[$1 " " $3]++' >"$W/found"
  awk 'NR == FNR { ns[$1] = $2; name[$1] = $3; next }
    $1 in name && !done[$1]++ { print "pods/" ns[$1] "_" name[$1], "pid", $2, ns[$1], name[$1], $1, $3; next }
    { print "netns/pod-" $1 (extra[$1]++ ? "-" extra[$1] : ""), "pid", $2, "-", "-", $1, $3 }' "$W/names" "$W/found"
}
inode_of() { # PID → inode of its netns
  l=$(ls -l "/proc/$1/ns/net" 2>/dev/null) || return 0
  l=${l##*net:[}
  printf '%s' "${l%]*}"
}
runtime_names() { # lines "UID NAMESPACE NAME" from whichever runtime answers
  if has crictl; then
    $T crictl pods --state Ready -o json </dev/null | tr -d '\n' | sed 's/"metadata"/\n&/g' | awk '
      /^"metadata"/ { u = s = n = ""
        if (match($0, /"uid": *"[^"]*"/)) { u = substr($0, RSTART, RLENGTH); sub(/.*: *"/, "", u); sub(/"$/, "", u) }
        if (match($0, /"namespace": *"[^"]*"/)) { s = substr($0, RSTART, RLENGTH); sub(/.*: *"/, "", s); sub(/"$/, "", s) }
        if (match($0, /"name": *"[^"]*"/)) { n = substr($0, RSTART, RLENGTH); sub(/.*: *"/, "", n); sub(/"$/, "", n) }
        if (u != "" && s != "" && n != "") print u, s, n }'
    return
  fi
  for r in docker nerdctl podman; do
    has $r || continue
    $T $r ps --no-trunc --filter label=io.kubernetes.pod.uid --format \
      '{{.Label "io.kubernetes.pod.uid"}} {{.Label "io.kubernetes.pod.namespace"}} {{.Label "io.kubernetes.pod.name"}}' </dev/null |
      awk 'NF == 3 && !seen[$0]++'
    return
  done
}

# Files and facts of the machine. Values that look like credentials are taken out on the way.
scrub() {
  sed -e 's#://[^/@" ]*@#://REMOVED@#g' \
    -e 's/\("[A-Za-z_-]*[Tt][Oo][Kk][Ee][Nn]" *: *\)"[^"]*"/\1"REMOVED"/g' \
    -e 's/\("[A-Za-z_-]*[Pp][Aa][Ss][Ss][A-Za-z]*" *: *\)"[^"]*"/\1"REMOVED"/g' \
    -e 's/\(--[a-z-]*token[a-z-]*[= ]\)[^ ]*/\1REMOVED/g' \
    -e 's/\(--[a-z-]*pass[a-z-]*[= ]\)[^ ]*/\1REMOVED/g' \
    -e 's/\([Bb]earer  *\)[A-Za-z0-9._~+/=-]\{8,\}/\1REMOVED/g' \
    -e 's/\([Pp][Aa][Ss][Ss][Ww][A-Za-z]* *[=:] *\)[^ ,;"]*/\1REMOVED/g' \
    -e 's/\([Tt][Oo][Kk][Ee][Nn] *[=:] *\)[A-Za-z0-9._~+/=-]\{8,\}/\1REMOVED/g'
}
keep() { # PATH SOURCE-FILE: a file, when it is there
  [ -f "$2" ] || return 0
  case $1 in */*) mkdir -p "$OUT/node/${1%/*}" ;; esac
  scrub <"$2" >"$OUT/node/$1" 2>"$OUT/node/$1.stderr"
  printf 'node/%s\t%s\t0.00\tcat %s\n' "$1" $? "$2" >>"$W/index"
}
note() { # PATH COMMAND…
  p=$1
  shift
  $T "$@" </dev/null >"$OUT/node/$p" 2>"$OUT/node/$p.stderr" &
  child=$!
  wait $child
  rc=$?
  [ $rc -eq 0 ] || [ -s "$OUT/node/$p" ] || rm -f "$OUT/node/$p"
  printf 'node/%s\t%s\t0.00\t%s\n' "$p" $rc "$*" >>"$W/index"
}
list() { # PATH GLOB-MATCHES…: every line of each file, after its name
  p=$1
  shift
  grep -sH '' "$@" /dev/null | scrub >"$OUT/node/$p"
  printf 'node/%s\t0\t0.00\tgrep -H "" of files\n' "$p" >>"$W/index"
}
# The last lines of the containers of system pods, of their run before too when the present one is young. Below /var/log/pods only the
# kubelet and the runtime write; a link (docker) is followed into docker's own folder and nowhere else.
SYSTEM_NAMESPACES='kube-system calico-system tigera-operator kube-flannel cilium metallb-system ingress-nginx istio-system linkerd'
pod_logs() {
  [ -d /var/log/pods ] || return 0
  mkdir -p "$OUT/node/logs"
  kept=0
  for ns in $SYSTEM_NAMESPACES; do
    for d in /var/log/pods/"${ns}"_*_*/*; do
      case $d in *[!A-Za-z0-9./_-]*) continue ;; esac
      [ -d "$d" ] && [ ! -L "$d" ] || continue
      now_up=; read -r now_up rest </proc/uptime
      [ $((kept += 1)) -le 120 ] && [ "${now_up%.*}00" -lt "$DEADLINE" ] || return 0
      c=${d##*/} p=${d%/*} p=${p##*/} p=${p%_*}
      files=
      for f in $(cd "$d" && ls | sed -n 's/^\([0-9]\{1,6\}\)\.log$/\1/p' | sort -n | tail -n 2); do
        f=$d/$f.log
        if [ -L "$f" ]; then
          case $(readlink "$f") in *..*) continue ;; /var/lib/docker/containers/*) ;; *) continue ;; esac
        fi
        [ ! -f "$f" ] || files="$files $f"
      done
      [ -n "$files" ] || continue
      # shellcheck disable=SC2086
      for f in $files; do tail -c 300000 "$f"; echo; done 2>/dev/null | grep . | tail -n 300 | cut -c 1-2000 | scrub >"$OUT/node/logs/${p}_$c.txt"
      printf 'node/logs/%s_%s.txt\t0\t0.00\ttail -n 300 of%s\n' "$p" "$c" "$files" >>"$W/index"
    done
  done
}
collect_machine() {
  mkdir -p "$OUT/node/cni/net.d"
  keep os-release /etc/os-release
  keep machine-id /etc/machine-id
  keep modules.txt /proc/modules
  keep kernel-command-line.txt /proc/cmdline
  note date.txt date -u +%Y-%m-%dT%H:%M:%SZ
  note iptables-version.txt iptables -V
  note kernel-log.txt sh -c 'dmesg >"$0.all" && tail -n 4000 "$0.all"; r=$?; rm -f "$0.all"; exit $r' "$W/kernel-log"
  for f in /etc/cni/net.d/*.conf /etc/cni/net.d/*.conflist /etc/cni/net.d/*.json; do
    [ -L "$f" ] || keep "cni/net.d/${f##*/}" "$f"
  done
  note cni/net.d.txt ls -la /etc/cni/net.d
  note cni/bin.txt ls -la /opt/cni/bin
  [ ! -d /var/lib/cni/networks ] || note cni/networks.txt ls -laR /var/lib/cni/networks
  keep cni/flannel-subnet.env /run/flannel/subnet.env
  keep cni/calico-nodename /var/lib/calico/nodename
  keep kubelet/config.yaml /var/lib/kubelet/config.yaml
  keep kubelet/kubeadm-flags.env /var/lib/kubelet/kubeadm-flags.env
  keep systemd-resolve-resolv.conf /run/systemd/resolve/resolv.conf
  keep docker-daemon.json /etc/docker/daemon.json
  grep -sHE 'conf_dir|bin_dir|conf_template|max_conf_num|network_dir|plugin_dir|cni_default' \
    /etc/containerd/config.toml /etc/crio/crio.conf /etc/crio/crio.conf.d/* /dev/null >"$OUT/node/runtime-cni-settings.txt"
  printf 'node/runtime-cni-settings.txt\t0\t0.00\tgrep of containerd and CRI-O configuration\n' >>"$W/index"
  list sysctl.d.txt /etc/sysctl.conf /etc/sysctl.d/*.conf /run/sysctl.d/*.conf /usr/lib/sysctl.d/*.conf
  list link-settings.txt /etc/systemd/network/*.link /usr/lib/systemd/network/99-default.link /etc/NetworkManager/conf.d/*.conf
  if has systemctl; then
    note services.txt systemctl show -p Id,LoadState,ActiveState,ActiveEnterTimestamp firewalld ufw nftables iptables docker \
      containerd crio kubelet NetworkManager systemd-networkd nm-cloud-setup keepalived
  fi
  # Network daemons that run, with their arguments.
  grep -sHxE 'kubelet|kube-proxy|flanneld|calico-.*|felix|bird6?|cilium-agent|weaver|kube-router|coredns|dnsmasq|dockerd|containerd|crio|firewalld|keepalived|envoy|k3s.*|rke2' \
    /proc/[0-9]*/comm 2>/dev/null | while IFS=/ read -r _ _ pid _; do
    printf '%s\t' "$pid"
    tr '\000\n' '  ' <"/proc/$pid/cmdline" 2>/dev/null
    echo
  done | scrub >"$OUT/node/daemons.txt"
  printf 'node/daemons.txt\t0\t0.00\t/proc/PID/cmdline of network daemons\n' >>"$W/index"
  [ ! -d /sys/fs/cgroup ] || note cgroup-cpu.txt find /sys/fs/cgroup -maxdepth 7 -path '*kubepods*' -name cpu.stat -exec grep -HE 'nr_periods|throttled' {} +
  pod_logs
  if has journalctl; then
    note kubelet-log.txt sh -c 'journalctl -u kubelet -n 300 --no-pager -o short-iso | cut -c 1-2000'
    [ ! -f "$OUT/node/kubelet-log.txt" ] || { scrub <"$OUT/node/kubelet-log.txt" >"$W/kubelet-log" && cat "$W/kubelet-log" >"$OUT/node/kubelet-log.txt"; }
  fi
  if has ethtool; then
    n=0
    for d in /sys/class/net/*; do
      d=${d##*/}
      case $d in lo | veth* | cali* | lxc* | vnet* | docker0 | bonding_masters) continue ;; esac
      [ $((n += 1)) -le 32 ] || break
      for o in -i -k -S; do
        echo "# ethtool $o $d"
        $T ethtool $o "$d" </dev/null 2>&1
      done
    done >"$OUT/node/ethtool.txt"
    printf 'node/ethtool.txt\t0\t0.00\tethtool -i, -k and -S of each device that is no veth\n' >>"$W/index"
  fi
}

# A background shell of ours that is told to stop tells what it is waiting for.
pass_on_term() {
  trap - EXIT HUP INT
  child=
  trap '[ -z "$child" ] || kill "$child" 2>/dev/null; exit 143' TERM
}

main() {
  NODE='' SCOPE=machine PODS=yes SECONDS_LIMIT=60 COMMAND_LIMIT=15 PODSPEC=''
  nl='
'
  while [ $# -gt 0 ]; do
    case $1 in
      --node) NODE=$2 && shift 2 ;;
      --scope) SCOPE=$2 && shift 2 ;;
      --timeout) SECONDS_LIMIT=$2 && shift 2 ;;
      --command-timeout) COMMAND_LIMIT=$2 && shift 2 ;;
      --pod) PODSPEC=$PODSPEC$2$nl && shift 2 ;;
      --no-pods) PODS=no && shift ;;
      *) echo "collect.sh: unknown argument: $1" >&2 && exit 2 ;;
    esac
  done
  [ -n "$NODE" ] || NODE=$(uname -n)
  case $NODE in '' | .* | *[!A-Za-z0-9._-]*) echo "collect.sh: not a node name: $NODE" >&2 && exit 2 ;; esac
  for n in "$SECONDS_LIMIT" "$COMMAND_LIMIT"; do
    case $n in '' | *[!0-9]*) echo "collect.sh: a time limit is in seconds" >&2 && exit 2 ;; esac
  done
  PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin:/opt/bin
  LC_ALL=C
  export PATH LC_ALL
  umask 077
  W=
  for t in "${TMPDIR:-/tmp}" /run /dev/shm /var/tmp; do
    W=$(mktemp -d "$t/netwhy-collect.XXXXXX" 2>/dev/null) && break
  done
  [ -n "$W" ] || { echo "collect.sh: no folder to write to: tried ${TMPDIR:-/tmp}, /run, /dev/shm, /var/tmp" >&2 && exit 1; }
  JOBS=
  # shellcheck disable=SC2086
  trap 'trap "" HUP INT TERM; [ -z "$JOBS" ] || { kill $JOBS; wait; } 2>/dev/null; cd /; rm -rf "$W"' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM

  OUT=$W/out/$NODE
  mkdir -p "$OUT/node"
  write_inner
  # No single command may hang the whole: coreutils timeout, busybox timeout, or none.
  T=
  if timeout -k 1 5 true 2>/dev/null; then
    T="timeout -k 1 $COMMAND_LIMIT"
  elif timeout 5 true 2>/dev/null; then
    T="timeout $COMMAND_LIMIT"
  fi
  read -r up rest </proc/uptime
  DEADLINE=$(((${up%.*} + SECONDS_LIMIT) * 100))
  LIMIT_BLOCKS=131072
  # What the kernel has not loaded is empty, and asking would load it. Built-in code has no line in /proc/modules.
  loaded() {
    [ -d "/sys/module/$1" ] || [ ! -e /proc/modules ] || grep -qs "/$1\\.ko" "/lib/modules/$(uname -r)/modules.builtin"
  }
  HAS_NFT=yes HAS_IPSET=yes
  loaded nf_tables || [ -z "$(cat /proc/modules 2>/dev/null)" ] || HAS_NFT=no
  loaded ip_set || [ -z "$(cat /proc/modules 2>/dev/null)" ] || HAS_IPSET=no
  IPTABLES_MODE=nft
  v=$(iptables -V 2>/dev/null) && case $v in *nf_tables*) ;; *) IPTABLES_MODE=legacy ;; esac
  NETNS_INODES=
  for d in /run/netns /var/run/netns; do
    [ -d $d ] && stat -Lc '%i %n' $d/* 2>/dev/null | sed 's# .*/# #' >"$W/netns-inodes" && NETNS_INODES=$W/netns-inodes && break
  done
  RESOLV_CONF='' HOSTS='' NETNS_NAME=''
  if [ "$SCOPE" = machine ]; then
    RESOLV_CONF=/etc/resolv.conf HOSTS=/etc/hosts
  else
    NETNS_NAME=$(ip netns identify 2>/dev/null) || NETNS_NAME=
    NETNS_NAME=${NETNS_NAME%%"$nl"*}
    if [ -n "$NETNS_NAME" ] && [ -f "/etc/netns/$NETNS_NAME/resolv.conf" ]; then RESOLV_CONF=/etc/netns/$NETNS_NAME/resolv.conf; fi
    if [ -n "$NETNS_NAME" ] && [ -f "/etc/netns/$NETNS_NAME/hosts" ]; then HOSTS=/etc/netns/$NETNS_NAME/hosts; fi
  fi
  export OUT T DEADLINE LIMIT_BLOCKS HAS_NFT HAS_IPSET IPTABLES_MODE NETNS_INODES RESOLV_CONF HOSTS NETNS_NAME

  EACH=$T sh "$W/inner.sh" full host "$W/index.host" </dev/null >/dev/null 2>&1 &
  JOBS="$JOBS $!"
  : >"$W/index"
  uname -r >"$OUT/node/kernel-release.txt"
  printf 'node/kernel-release.txt\t0\t0.00\tuname -r\n' >>"$W/index"
  if [ "$SCOPE" = machine ]; then
    (pass_on_term && collect_machine) &
    JOBS="$JOBS $!"
  else
    note iptables-version.txt iptables -V
  fi

  # Pods: those named in the arguments, and those this machine runs.
  : >"$W/pods"
  printf '%s' "$PODSPEC" | while read -r spec; do
    what=${spec%%=*} how=${spec#*=}
    case $what in */*/* | *[!A-Za-z0-9./_-]*) echo "collect.sh: not a pod: $what" >&2 && continue ;; */*) ;; *) echo "collect.sh: not a pod: $what" >&2 && continue ;; esac
    case $how in
      netns:*[!A-Za-z0-9._-]* | pid:*[!0-9]* | netns: | pid:) echo "collect.sh: not a namespace: $how" >&2 && continue ;;
      netns:* | pid:*) ;;
      *) echo "collect.sh: not a namespace: $how" >&2 && continue ;;
    esac
    echo "pods/${what%%/*}_${what#*/} ${how%%:*} ${how#*:} ${what%%/*} ${what#*/} - -"
  done >"$W/pods"
  [ "$PODS" = no ] || [ "$SCOPE" != machine ] || find_pods >>"$W/pods"
  awk '!seen[$1]++' "$W/pods" | tr ' ' '\t' >"$OUT/node/pods.tsv"
  printf 'node/pods.tsv\t0\t0.00\tpods of this node: folder, how and where entered, namespace, name, UID, netns inode\n' >>"$W/index"
  workers=$(grep -c '^processor' /proc/cpuinfo 2>/dev/null) || workers=2
  [ "$workers" -le 4 ] || workers=4
  i=0
  while [ $i -lt "$workers" ]; do
    i=$((i + 1))
    (
      pass_on_term
      turn=0
      while read -r folder kind where rest; do
        turn=$((turn % workers + 1))
        [ $turn -ne $i ] || collect_pod "$folder" "$kind" "$where" "$W/index.$i"
      done <"$OUT/node/pods.tsv"
    ) &
    JOBS="$JOBS $!"
  done
  # shellcheck disable=SC2086
  wait $JOBS
  JOBS=
  { printf '# netwhy-collect 1: path, exit code, seconds, command\n' && cat "$W/index" "$W"/index.host "$W"/index.[0-9] 2>/dev/null; } >"$OUT/index.tsv"
  find "$OUT" -type f \( -name .ids -o -name '*.stderr' -size 0 \) -exec rm -f {} +
  tar -C "$W/out" -cf - "$NODE"
}

main "$@" </dev/null
