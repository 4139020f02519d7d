"""Builds namespaces from a case, dumps what netwhy would collect, then really connects. Run as `unshare -m -n python3 -`.

stdin: {"setup": SHELL, "listen": [[netns, family, proto, address, port], ...],
        "connect": [[netns, proto, dst, port], ...], "netns": [names]}
stdout: {"dumps": {netns: {artefact: text}}, "met": [{"fate", "seen"}, ...], "error"?: text}
Everything lives in the private mount and network namespaces of this process and goes away with it.
"""
import ctypes, json, os, select, socket, subprocess, sys, threading, time

libc = ctypes.CDLL(None, use_errno=True)
case = json.loads(os.environ["CASE"])
os.makedirs("/run/netns", exist_ok=True)
subprocess.run(["mount", "-t", "tmpfs", "none", "/run/netns"], check=True)


def enter(name):
    fd = os.open("/run/netns/" + name, os.O_RDONLY)
    if libc.setns(fd, 0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    os.close(fd)


def socket_in(name, family, kind):
    """A socket of another netns: a thread has its own netns."""
    out = []

    def make():
        enter(name)
        out.append(socket.socket(family, kind))

    t = threading.Thread(target=make)
    t.start()
    t.join()
    return out[0]


done = subprocess.run(["bash", "-e"], input=case["setup"], text=True, capture_output=True)
if done.returncode != 0:
    print(json.dumps({"error": done.stderr[-600:]}))
    sys.exit(0)



def settled():
    """True when linkwatch has caught up: carrier and operational state agree on every link, and so do bridge ports."""
    for name in case["netns"]:
        links = json.loads(subprocess.run(["ip", "-n", name, "-j", "link"], capture_output=True, text=True).stdout)
        for l in links:
            up, carrier = "UP" in l["flags"], "LOWER_UP" in l["flags"]
            if up and carrier != (l["operstate"] in ("UP", "UNKNOWN")):
                return False
    return True


deadline = time.monotonic() + 5
while not settled() and time.monotonic() < deadline:
    pass

AF = {4: socket.AF_INET, 6: socket.AF_INET6}
KIND = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
listeners = []
for name, family, proto, address, port in case["listen"]:
    s = socket_in(name, AF[family], KIND[proto])
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == 6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind((address, port))
    if proto == "tcp":
        s.listen(16)
    listeners.append((s, proto))


def serve():
    socks = {s: proto for s, proto in listeners}
    while True:
        ready, _, _ = select.select(list(socks), [], [])
        for s in ready:
            try:
                if socks[s] == "tcp":
                    c, peer = s.accept()
                    c.sendall(peer[0].encode())
                    c.close()
                else:
                    _, peer = s.recvfrom(100)
                    s.sendto(peer[0].encode(), peer)
            except OSError:
                pass


threading.Thread(target=serve, daemon=True).start()

KEYS = "|".join(
    ["ip_forward", "forwarding", "rp_filter", "accept_local", "send_redirects", "src_valid_mark", "route_localnet",
     "proxy_arp", "arp_ignore", "arp_announce", "arp_filter", "disable_ipv6", "proxy_ndp", "ignore_routes_with_linkdown",
     "bridge-nf-call-ip6?tables", "icmp_echo_ignore_all", "force_forwarding", "nf_conntrack_tcp_loose"])
DUMP = f"""
ip -d -s -j link > $D/link; ip -j addr > $D/addr
ip -d -j -4 route show table all > $D/route4; ip -d -j -6 route show table all > $D/route6
ip -d -j -4 rule > $D/rule4; ip -d -j -6 rule > $D/rule6
ip -s -j neigh show > $D/neigh; ip -j neigh show proxy > $D/neigh-proxy
bridge -j fdb show > $D/fdb; bridge -d -j link show > $D/bridge-link
ss -H -lntupe > $D/ss; iptables-save > $D/iptables; ip6tables-save > $D/ip6tables
grep -H . $(find /proc/sys/net/ipv4/conf /proc/sys/net/ipv6/conf /proc/sys/net/ipv4 /proc/sys/net/bridge -maxdepth 2 -type f 2>/dev/null | grep -E '/({KEYS})$') 2>/dev/null > $D/sysctl || true
"""
dumps = {}
readers = []
for name in case["netns"]:
    d = "/run/netns/dump-" + name
    os.makedirs(d)
    readers.append((name, d, subprocess.Popen(
        ["ip", "netns", "exec", name, "bash", "-c", DUMP], env={**os.environ, "D": d}, stderr=subprocess.DEVNULL)))
for name, d, p in readers:
    p.wait()
    dumps[name] = {}
    for f in os.listdir(d):
        with open(d + "/" + f) as fh:
            dumps[name][f] = fh.read()

WORD = {101: "noroute", 113: "noroute", 22: "noroute", 13: "noroute", 1: "noroute", 99: "noroute", 110: "timeout",
        111: "refused"}


def one(name, proto, dst, port):
    family = AF[6 if ":" in dst else 4]
    s = socket_in(name, family, KIND[proto])
    s.settimeout(1.2)
    try:
        s.connect((dst, port))
        if proto == "udp":
            s.send(b"x")
        return {"fate": "open", "seen": s.recv(99).decode()}
    except socket.timeout:
        return {"fate": "timeout", "seen": ""}
    except OSError as e:
        return {"fate": WORD.get(e.errno, "errno %s" % e.errno), "seen": ""}
    finally:
        s.close()


met = [None] * len(case["connect"])


def run(i, q):
    met[i] = one(*q)


# Different pairs at once, so that answers do not disturb each other's neighbour state more than they must.
threads = [threading.Thread(target=run, args=(i, q)) for i, q in enumerate(case["connect"])]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(json.dumps({"dumps": dumps, "met": met}))
sys.stdout.flush()
os._exit(0)
