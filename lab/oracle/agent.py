#!/usr/bin/python3
"""Sends crafted packets into the oracle's namespaces and reports every copy that comes out.

One process holds sockets in three netns (c: client side, r: the router under test, s: server side), so a case costs no
process starts. Requests and answers are JSON lines on stdin and stdout. Nothing sleeps: after a probe, marker frames of a
local experimental ethertype follow it through the same per-CPU backlog queue (net/core/dev.c enqueue_to_backlog is a
FIFO), so when the markers have arrived the probe has met its fate.
"""
import ctypes, json, os, select, socket, struct, sys

MARKER = 0x88B5  # IEEE Std 802 local experimental ethertype 1
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL("libc.so.6", use_errno=True)
os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})


def enter(ns):
    fd = os.open("/run/netns/" + ns, os.O_RDONLY)
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns " + ns)
    os.close(fd)


def tap(dev):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
    s.bind((dev, 0x0003))
    s.setblocking(False)
    return s


def mac_of(dev):
    return bytes.fromhex(open("/sys/class/net/%s/address" % dev).read().strip().replace(":", ""))


def raw_in(family, proto):
    s = socket.socket(family, socket.SOCK_RAW, proto)
    s.setblocking(False)
    return s


def hw(ns, dev):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    s.bind((dev, 0))
    mac = s.getsockname()[4][:6]
    s.close()
    return mac


taps, macs = {}, {}
for ns, devs in (("c", ["eth0"]), ("s", ["eth0"]), ("r", ["lan0", "wan0"])):
    enter(ns)
    for dev in devs:
        taps[(ns, dev)] = tap(dev)
        macs[(ns, dev)] = hw(ns, dev)
enter("r")
local4 = {p: raw_in(socket.AF_INET, p) for p in (1, 6, 17, 132)}
local6 = {p: raw_in(socket.AF_INET6, p) for p in (6, 17, 58, 132)}
for s in local6.values():
    s.setsockopt(socket.IPPROTO_IPV6, 49, 1)  # IPV6_RECVPKTINFO: the raw socket hides the header, we want the destination
    s.setsockopt(socket.IPPROTO_IPV6, 51, 1)  # IPV6_RECVHOPLIMIT
out4 = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
out6 = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
ctnl = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
ctnl.bind((0, 0))


def flush_conntrack():
    # NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, no tuple: flush. NLM_F_REQUEST | NLM_F_ACK.
    for family in (2, 10):
        body = struct.pack("=BBH", family, 0, 0)
        ctnl.send(struct.pack("=IHHII", 16 + len(body), (1 << 8) | 2, 5, 1, 0) + body)
        ctnl.recv(4096)


def csum(data):
    if len(data) % 2:
        data += b"\0"
    t = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while t >> 16:
        t = (t & 0xFFFF) + (t >> 16)
    return ~t & 0xFFFF


def crc32c(data):
    crc = 0xFFFFFFFF
    for b in data:
        crc ^= b
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def build(p):
    family = socket.AF_INET6 if ":" in p["src"] else socket.AF_INET
    src, dst = socket.inet_pton(family, p["src"]), socket.inet_pton(family, p["dst"])
    proto, pay = p["protocol"], b"x" * p.get("payload", 0)
    sp, dp = p.get("sport", 0), p.get("dport", 0)
    if proto == 6:
        flags = p.get("flags", 2)
        l4 = struct.pack(">HHIIBBHHH", sp, dp, p.get("seq", 1000), p.get("ack", 0), 5 << 4, flags, 8192, 0, 0) + pay
        at = 16
    elif proto == 17:
        l4 = struct.pack(">HHHH", sp, dp, 8 + len(pay), 0) + pay
        at = 6
    elif proto == 132:
        # INIT chunk, RFC 9260 section 3.3.2
        chunk = struct.pack(">BBHIIHHI", 1, 0, 20, 1234, 65535, 10, 10, 1)
        l4 = struct.pack(">HHII", sp, dp, 0, 0) + chunk
        l4 = l4[:8] + struct.pack("<I", crc32c(l4)) + l4[12:]
        at = None
    else:
        l4 = struct.pack(">BBHHH", p["icmpType"], p["icmpCode"], 0, p.get("id", 7), 1) + pay
        at = 2
    if at is not None:
        if proto == 1:
            c = csum(l4)
        else:
            pseudo = src + dst + (struct.pack(">BBH", 0, proto, len(l4)) if family == socket.AF_INET else struct.pack(">IHBB", len(l4), 0, 0, proto))
            c = csum(pseudo + l4) or 0xFFFF
        l4 = l4[:at] + struct.pack(">H", c) + l4[at + 2 :]
    tos = p.get("dscp", 0) << 2
    if family == socket.AF_INET:
        h = struct.pack(">BBHHHBBH4s4s", 0x45, tos, 20 + len(l4), 1, 0x4000, p["ttl"], proto, 0, src, dst)
        h = h[:10] + struct.pack(">H", csum(h)) + h[12:]
    else:
        h = struct.pack(">IHBB16s16s", 6 << 28 | tos << 20, len(l4), proto, p["ttl"], src, dst)
    return family, h + l4


def parse(data):
    if data[0] >> 4 == 4:
        ihl = (data[0] & 15) * 4
        f, proto, ttl, dscp, frag = socket.AF_INET, data[9], data[8], data[1] >> 2, struct.unpack(">H", data[6:8])[0] & 0x1FFF
        src, dst, l4 = data[12:16], data[16:20], data[ihl:]
    else:
        f, proto, ttl, dscp = socket.AF_INET6, data[6], data[7], (struct.unpack(">H", data[0:2])[0] >> 6) & 63
        src, dst, l4 = data[8:24], data[24:40], data[40:]
    return dict(l4_of(proto, l4), src=socket.inet_ntop(f, src), dst=socket.inet_ntop(f, dst), protocol=proto, ttl=ttl, dscp=dscp)


def l4_of(proto, l4):
    if proto in (6, 17, 132) and len(l4) >= 4:
        sp, dp = struct.unpack(">HH", l4[:4])
        return {"sport": sp, "dport": dp, "flags": l4[13] if proto == 6 and len(l4) > 13 else 0}
    if len(l4) >= 6:
        inner = l4[8:] if (proto == 1 and l4[0] in (3, 11)) or (proto == 58 and l4[0] < 128) else b""
        return {"sport": 0, "dport": 0, "icmpType": l4[0], "icmpCode": l4[1], "id": struct.unpack(">H", l4[4:6])[0], "aboutPort": about(inner)}
    return {"sport": 0, "dport": 0}


def about(inner):
    if len(inner) >= 24 and inner[0] >> 4 == 4:
        return struct.unpack(">H", inner[20:22])[0]
    if len(inner) >= 44 and inner[0] >> 4 == 6:
        return struct.unpack(">H", inner[40:42])[0]
    return 0


def drain(sock):
    got = []
    while True:
        try:
            got.append(sock.recvfrom(65535))
        except BlockingIOError:
            return got


def marker(ns, dev, dst, tag):
    enter(ns)
    taps[(ns, dev)].send(dst + macs[(ns, dev)] + struct.pack(">HI", MARKER, tag) + b"\0" * 42)


def await_marker(key, tag, seen):
    for _ in range(200):
        select.select([taps[key]], [], [], 0.05)
        for data, addr in drain(taps[key]):
            if addr[2] == 4:  # PACKET_OUTGOING
                continue
            kind = struct.unpack(">H", data[12:14])[0]
            if kind == MARKER:
                if struct.unpack(">I", data[14:18])[0] == tag:
                    return True
            elif kind in (0x0800, 0x86DD):
                seen.append(data[14:])
    raise RuntimeError("marker %d lost at %s" % (tag, key))


tag = 0


def fence(seen):
    """Waits until everything sent so far has been processed; collects what arrived at c and s."""
    global tag
    tag += 1
    if True:
        marker("c", "eth0", macs[("r", "lan0")], tag)
        await_marker(("r", "lan0"), tag, [])
        marker("s", "eth0", macs[("r", "wan0")], tag)
        await_marker(("r", "wan0"), tag, [])
        marker("r", "lan0", macs[("c", "eth0")], tag)
        await_marker(("c", "eth0"), tag, seen["c"])
        marker("r", "wan0", macs[("s", "eth0")], tag)
        await_marker(("s", "eth0"), tag, seen["s"])


def send(p):
    for s in list(local4.values()) + list(local6.values()):
        drain(s)
    seen = {"c": [], "s": []}
    fence({"c": [], "s": []})
    family, data = build(p)
    error = None
    if p["from"] == "r":
        out = out4 if family == socket.AF_INET else out6
        out.setsockopt(socket.SOL_SOCKET, 36, p.get("mark", 0))  # SO_MARK
        try:
            out.sendto(data, (p["dst"], 0))
        except OSError as e:
            error = e.errno
    else:
        ns, far = p["from"], ("r", "lan0" if p["from"] == "c" else "wan0")
        ether = macs[far] + macs[(ns, "eth0")] + (b"\x08\x00" if family == socket.AF_INET else b"\x86\xdd")
        taps[(ns, "eth0")].send(ether + data)
    fence(seen)
    local = []
    for socks, fam in ((local4, 4), (local6, 6)):
        for proto, s in socks.items():
            if fam == 4:
                local += [parse(d) for d, _ in drain(s)]
            else:
                while True:
                    try:
                        d, anc, _, addr = s.recvmsg(65535, 512)
                    except BlockingIOError:
                        break
                    dst = next((socket.inet_ntop(socket.AF_INET6, a[2][:16]) for a in anc if a[0] == socket.IPPROTO_IPV6 and a[1] == 50), "?")
                    hop = next((struct.unpack("=i", a[2][:4])[0] for a in anc if a[0] == socket.IPPROTO_IPV6 and a[1] == 52), 0)
                    local.append(dict(l4_of(proto, d), src=addr[0].split("%")[0], dst=dst, protocol=proto, ttl=hop, dscp=0))
    return {"c": [parse(x) for x in seen["c"]], "s": [parse(x) for x in seen["s"]], "local": local, "errno": error}


for line in sys.stdin:
    q = json.loads(line)
    try:
        if q["op"] == "send":
            a = send(q["packet"])
        elif q["op"] == "flush":
            flush_conntrack()
            a = {}
        else:
            a = {"macs": {"%s/%s" % k: v.hex(":") for k, v in macs.items()}}
    except Exception as e:
        a = {"error": "%s: %s" % (type(e).__name__, e)}
    sys.stdout.write(json.dumps(a) + "\n")
    sys.stdout.flush()
