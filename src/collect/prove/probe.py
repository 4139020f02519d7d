# Runs inside one network namespace. Either asks with real packets and looks at what answers (one argument per job:
# KIND,ADDRESS,PORT,COUNT,WAIT,SPORT,EXTRA), or watches packets go by (watch,SECONDS,PROTOCOL,MARKS,TUNNELPORTS).
# Installs nothing, writes no file, ends by itself: after LIMIT seconds, or at once when its parent is gone.
# Output is lines of words; read-output.ts reads them. Python 3.6 and later, standard library only.
import errno, os, random, select, signal, socket, struct, sys, time

LIMIT = 25.0
# Tries of one job under way at once, and seconds between two: a short accept queue must not overflow because of us.
OUTSTANDING, PACE = 4, 0.02
BEGAN = time.monotonic()
PARENT = os.getppid()
SIZES = 12
LINES = 600
printed = 0


def say(*words):
    global printed
    printed += 1
    if printed <= LINES:
        try:
            print(*words, flush=True)
        except OSError:
            os._exit(0)


def over():
    return time.monotonic() - BEGAN > LIMIT or os.getppid() != PARENT


def name_of(number):
    return errno.errorcode.get(number, "E%d" % number)


# ---- the kernel's copy of packets (packet(7)): SOCK_DGRAM begins at the network header on every kind of link -----------

OUTGOING = 4  # linux/if_packet.h PACKET_OUTGOING


class Filter:
    """Classic BPF (linux/filter.h), assembled with labels so that jumps are counted by the machine."""

    def __init__(self):
        self.code, self.labels, self.names = [], {}, 0

    def op(self, code, k, jt=None, jf=None):
        self.code.append((code, k, jt, jf))

    def label(self, name):
        self.labels[name] = len(self.code)

    def fresh(self):
        self.names += 1
        return self.names

    def attach(self, s):
        out = b""
        for at, (code, k, jt, jf) in enumerate(self.code):
            jump = lambda l: 0 if l is None else self.labels[l] - at - 1
            if code == JA:
                out += struct.pack("HBBI", code, 0, 0, jump(jt))
            else:
                out += struct.pack("HBBI", code, jump(jt), jump(jf), k)
        import ctypes
        buffer = ctypes.create_string_buffer(out)
        program = struct.pack("HL", len(self.code), ctypes.addressof(buffer))
        s.setsockopt(socket.SOL_SOCKET, 26, program)  # SO_ATTACH_FILTER


LDB, LDW, LDHX, LDWX, LDBX, MSH = 0x30, 0x20, 0x48, 0x40, 0x50, 0xB1
JEQ, JSET, JA, RET, AND = 0x15, 0x45, 0x05, 0x06, 0x54


def answers_filter():
    """TCP with RST and ICMP errors, IPv4 and IPv6."""
    f = Filter()
    f.op(LDB, 0); f.op(AND, 0xF0); f.op(JEQ, 0x40, "v4", "not4")
    f.label("v4"); f.op(LDB, 9); f.op(JEQ, 6, "tcp4", "no6")
    f.label("tcp4"); f.op(MSH, 0); f.op(LDBX, 13); f.op(JSET, 4, "yes", "no")
    f.label("no6"); f.op(JEQ, 1, "icmp4", "no")
    f.label("icmp4"); f.op(MSH, 0); f.op(LDBX, 0); f.op(JEQ, 3, "yes", "time")
    f.label("time"); f.op(JEQ, 11, "yes", "no")
    f.label("not4"); f.op(JEQ, 0x60, "v6", "no")
    f.label("v6"); f.op(LDB, 6); f.op(JEQ, 6, "tcp6", "no66")
    f.label("tcp6"); f.op(LDB, 53); f.op(JSET, 4, "yes", "no")
    f.label("no66"); f.op(JEQ, 58, "icmp6", "no")
    f.label("icmp6"); f.op(LDB, 40); f.op(JSET, 0x80, "no", "yes")
    f.label("yes"); f.op(RET, 0xFFFF)
    f.label("no"); f.op(RET, 0)
    return f


def marks_filter(marks, tunnels):
    """Packets from or to one of the addresses, plain or inside IPIP, or inside UDP of a tunnel's port behind 8 + 14 bytes."""
    f = Filter()
    v4 = [struct.unpack("!I", socket.inet_aton(a)) for a, _ in marks if ":" not in a]
    v6 = [struct.unpack("!IIII", socket.inet_pton(socket.AF_INET6, a)) for a, _ in marks if ":" in a]

    def either(load, base, addresses, fields, otherwise):
        for field in fields:
            for words in addresses:
                other = f.fresh()
                for i, word in enumerate(words):
                    same = f.fresh()
                    f.op(load, base + field + 4 * i)
                    f.op(JEQ, word, same, other)
                    f.label(same)
                f.op(JA, 0, "yes")
                f.label(other)
        f.op(JA, 0, otherwise)

    f.op(LDB, 0); f.op(AND, 0xF0); f.op(JEQ, 0x40, "four", "six")
    f.label("six"); f.op(JA, 0, "v6")
    f.label("four")
    either(LDW, 0, v4, (12, 16), "inner")
    f.label("inner"); f.op(LDB, 9); f.op(JEQ, 4, "ipip", "maybe")
    f.label("ipip"); f.op(MSH, 0)
    either(LDWX, 0, v4, (12, 16), "no")
    f.label("maybe"); f.op(JEQ, 17, "udp", "other")
    f.label("other"); f.op(JA, 0, "no")
    f.label("udp"); f.op(MSH, 0); f.op(LDHX, 2)
    for port in tunnels:
        here, past = f.fresh(), f.fresh()
        f.op(JEQ, port, here, past)
        f.label(here); f.op(JA, 0, "tunnel")
        f.label(past)
    f.op(JA, 0, "no")
    f.label("tunnel")
    # The inner packet begins 8 (UDP) + 8 (VXLAN, Geneve without options) + 14 (Ethernet) bytes after the outer header.
    f.op(LDBX, 30); f.op(AND, 0xF0); f.op(JEQ, 0x40, "t4", "t6")
    f.label("t6"); f.op(JA, 0, "inner6")
    f.label("t4")
    either(LDWX, 30, v4, (12, 16), "no")
    f.label("inner6")
    either(LDWX, 30, v6, (8, 24), "no")
    f.label("v6")
    # IPv6 outside is rare for tunnels: what is inside is looked at in user space.
    f.op(LDB, 6); f.op(JEQ, 17, "yes6", "plain6")
    f.label("yes6"); f.op(JA, 0, "yes")
    f.label("plain6")
    either(LDW, 0, v6, (8, 24), "no")
    f.label("yes"); f.op(RET, 0xFFFF)
    f.label("no"); f.op(RET, 0)
    return f


def open_capture(program):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))  # ETH_P_ALL
    s.setblocking(False)
    try:
        program.attach(s)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    except (OSError, ImportError):
        s.close()
        raise
    for _ in range(10000):  # what came in before the filter
        try:
            s.recv(1)
        except OSError:
            break
    return s


def ip_of(data):
    """(source, destination, protocol, ttl, payload) of an IPv4 or IPv6 packet, or None."""
    if len(data) >= 20 and data[0] >> 4 == 4:
        head = (data[0] & 15) * 4
        return socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20]), data[9], data[8], data[head:]
    if len(data) >= 40 and data[0] >> 4 == 6:
        text = lambda b: socket.inet_ntop(socket.AF_INET6, b)
        return text(data[8:24]), text(data[24:40]), data[6], data[7], data[40:]
    return None


def mac_of(raw):
    return ":".join("%02x" % b for b in raw) if raw and len(raw) == 6 else "-"


# ---- asking ------------------------------------------------------------------------------------------------------------


class Job:
    def __init__(self, number, text):
        kind, address, port, count, wait, sport, extra = text.split(",")
        self.number, self.kind, self.address, self.extra = number, kind, address, extra
        self.port, self.count, self.wait, self.sport = int(port), int(count), float(wait), int(sport)
        self.family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.started = self.ok = self.quiet = 0
        self.next = 0.0
        self.live, self.ports, self.told = {}, set(), set()
        self.ident = random.randrange(1, 65536)

    def done(self):
        return not self.live and (self.started >= self.count or (self.ok == 0 and self.quiet >= min(4, self.count)))


def dns_query(ident, qname):
    labels = b"".join(bytes([len(l)]) + l for l in (p.encode() for p in qname.split(".")) if 0 < len(l) < 64)
    return struct.pack("!HHHHHH", ident, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)


def start(job, poll):
    kind = socket.SOCK_STREAM if job.kind == "connect" else socket.SOCK_DGRAM
    s = socket.socket(job.family, kind)
    s.setblocking(False)
    job.started += 1
    began = time.monotonic()
    try:
        if job.sport:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("", job.sport))
        if job.kind == "connect":
            code = s.connect_ex((job.address, job.port))
            port = s.getsockname()[1]
            if code not in (0, errno.EINPROGRESS):
                job.ports.add(port)
                s.close()
                return fail(job, name_of(code), port)
        else:
            # Not connected, so that an answer from a wrong address is seen; ICMP errors come all the same (ip(7) IP_RECVERR).
            if job.family == socket.AF_INET:
                s.setsockopt(socket.IPPROTO_IP, 11, 1)
            else:
                s.setsockopt(socket.IPPROTO_IPV6, 25, 1)
            if not job.sport:
                s.bind(("", 0))
            port = s.getsockname()[1]
            payload = dns_query(port, job.extra) if job.kind == "dns" else b"netwhy-" + struct.pack("!H", port).hex().encode()
            job.ports.add(port)
            s.sendto(payload, (job.address, job.port))
    except OSError as e:
        s.close()
        return fail(job, name_of(e.errno), 0)
    job.ports.add(port)
    job.live[s.fileno()] = (s, began, port)
    poll.register(s, select.POLLOUT if job.kind == "connect" else select.POLLIN)


def fail(job, why, port):
    job.quiet = job.quiet + 1 if why == "ETIMEDOUT" else 0
    say("try", job.number, "fail", why, port)


def finish(job, fd, poll):
    s, began, port = job.live.pop(fd)
    poll.unregister(fd)
    took = (time.monotonic() - began) * 1000
    try:
        if job.kind == "connect":
            code = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                return fail(job, name_of(code), port)
        else:
            data, peer = s.recvfrom(4096)
            if job.kind == "dns" and len(data) >= 12:
                ident, flags, _, answers = struct.unpack("!HHHH", data[:8])
                say("dns", job.number, flags & 15, peer[0], answers)
            if peer[0] != job.address:
                say("stranger", job.number, peer[0])
                return fail(job, "EADDRMISMATCH", port)
        job.ok += 1
        job.quiet = 0
        say("try", job.number, "ok", "%.1f" % took, port)
    except OSError as e:
        fail(job, name_of(e.errno), port)
    finally:
        s.close()


def read_answers(capture, jobs):
    while True:
        try:
            data, (link, _, way, _, raw) = capture.recvfrom(2048)
        except OSError:
            return
        if way == OUTGOING:
            continue
        top = ip_of(data)
        if top is None:
            continue
        source, _, protocol, ttl, body = top
        if protocol == 6 and len(body) >= 14:
            port = struct.unpack("!H", body[2:4])[0]
            for job in jobs:
                if job.kind == "connect" and port in job.ports:
                    tell(job, "rst", source, ttl, mac_of(raw), link)
        elif protocol in (1, 58) and len(body) >= 28:
            kind, code = body[0], body[1]
            inner = ip_of(body[8:])
            if inner is None or len(inner[4]) < 6:
                continue
            port, ident = struct.unpack("!HxxH", inner[4][:6])
            mtu = struct.unpack("!I", body[4:8])[0]
            for job in jobs:
                mine = ident == job.ident if job.kind in ("echo", "mtu") and inner[2] in (1, 58) else port in job.ports
                if mine and (job.kind in ("echo", "mtu")) == (inner[2] in (1, 58)):
                    tell(job, "icmp", source, ttl, mac_of(raw), link, kind, code, mtu & 0xFFFF if protocol == 1 else mtu)


def tell(job, *words):
    if words in job.told or len(job.told) >= 16:
        return
    job.told.add(words)
    say(words[0], job.number, *words[1:])


def tries(jobs, capture):
    """All connects and datagrams of all jobs side by side, a few of each at once."""
    poll = select.poll()
    if capture:
        poll.register(capture, select.POLLIN)
    while not over():
        for job in jobs:
            most = 1 if job.sport else OUTSTANDING
            hopeless = job.ok == 0 and job.quiet >= min(4, job.count)
            if len(job.live) < most and job.started < job.count and not hopeless and time.monotonic() >= job.next:
                job.next = time.monotonic() + PACE
                start(job, poll)
        if all(job.done() for job in jobs):
            break
        now = time.monotonic()
        ends = [began + job.wait for job in jobs for _, began, _ in job.live.values()]
        ends += [job.next for job in jobs if job.started < job.count and len(job.live) < OUTSTANDING]
        for fd, _ in poll.poll(max(1, min(100, int((min(ends) - now) * 1000) + 1)) if ends else 1):
            if capture and fd == capture.fileno():
                read_answers(capture, jobs)
            for job in jobs:
                if fd in job.live:
                    finish(job, fd, poll)
        now = time.monotonic()
        for job in jobs:
            for fd in [fd for fd, (_, began, _) in job.live.items() if now - began >= job.wait]:
                s, _, port = job.live.pop(fd)
                poll.unregister(fd)
                s.close()
                fail(job, "ETIMEDOUT", port)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


class Echoes:
    """Echo requests of given IP lengths; `answered` holds the sequence numbers that came back, with their time in ms."""

    def __init__(self, job, big):
        self.job, self.six = job, job.family == socket.AF_INET6
        self.s = socket.socket(job.family, socket.SOCK_RAW, 58 if self.six else 1)
        self.s.setblocking(False)
        if big:
            # IP_PMTUDISC_PROBE: DF, and what the kernel believes of the path is left out (ip(7)).
            self.s.setsockopt(*((41, 23, 3) if self.six else (0, 10, 3)))
        self.sent, self.answered, self.error = {}, {}, None

    def send(self, length):
        seq = len(self.sent) + 1
        body = b"netwhy" + b"\0" * max(0, length - (48 if self.six else 28) - 6)
        head = struct.pack("!BBHHH", 128 if self.six else 8, 0, 0, self.job.ident, seq)
        if not self.six:
            head = struct.pack("!BBHHH", 8, 0, checksum(head + body), self.job.ident, seq)
        self.sent[seq] = time.monotonic()
        try:
            self.s.sendto(head + body, (self.job.address, 0))
        except OSError as e:
            self.error = name_of(e.errno)
        return seq

    def wait(self, seqs, seconds, capture):
        """Until all of `seqs` are answered, or the time is up."""
        until = time.monotonic() + seconds
        while not over() and any(q not in self.answered for q in seqs):
            left = until - time.monotonic()
            if left <= 0:
                break
            if capture:
                read_answers(capture, [self.job])
            if not select.select([self.s], [], [], min(left, 0.05))[0]:
                continue
            try:
                data = self.s.recvfrom(65536)[0]
            except OSError as e:
                self.error = name_of(e.errno)
                continue
            body = data if self.six else data[(data[0] & 15) * 4 :]
            if len(body) < 8 or body[0] != (129 if self.six else 0):
                continue
            ident, seq = struct.unpack("!HH", body[4:8])
            if ident == self.job.ident and seq in self.sent and seq not in self.answered:
                self.answered[seq] = (time.monotonic() - self.sent[seq]) * 1000
        if capture:
            read_answers(capture, [self.job])


def echo(job, capture):
    e = Echoes(job, False)
    pace = float(job.extra or "0.01")

    def batch(count):
        seqs = []
        for _ in range(count):
            if over() or (len(seqs) >= 4 and not e.answered and time.monotonic() - BEGAN > 6):
                break
            seqs.append(e.send(84 if not e.six else 104))
            e.wait(seqs[-1:], pace, capture)
            rest = pace - (time.monotonic() - e.sent[seqs[-1]])
            if rest > 0:
                time.sleep(rest)
        e.wait(seqs, job.wait, capture)

    batch(job.count)
    # A few lost ones may be chance: ask more before calling it loss.
    if job.count >= 10 and 0 < len(e.sent) - len(e.answered) < len(e.sent):
        batch(3 * job.count)
    times = sorted(e.answered.values())
    median = "%.1f" % times[len(times) // 2] if times else "-"
    say("echo", job.number, len(e.sent), len(times), median, e.error or "-")
    return len(times) > 0


def path_mtu(job, capture):
    """Largest IP length that is answered and smallest that is not, between EXTRA=LOW-HIGH."""
    low, high = (int(x) for x in job.extra.split("-"))
    e = Echoes(job, True)

    def one(length, times):
        for _ in range(times):
            seq = e.send(length)
            e.wait([seq], 0.35, capture)
            if seq in e.answered:
                return True
        return False

    if one(high, 4):
        return say("mtu", job.number, high, 0)
    if not one(low, 3):
        return say("mtu", job.number, 0, low)
    while high - low > 1 and not over():
        step = max(1, (high - low) // (SIZES + 1))
        sizes = list(range(low + step, high, step))[: SIZES + 2]
        asked = {}
        for _ in range(2):
            for size in sizes:
                asked.setdefault(size, []).append(e.send(size))
                time.sleep(0.002)
        e.wait([q for qs in asked.values() for q in qs], 0.4, capture)
        good = [size for size in sizes if any(q in e.answered for q in asked[size])]
        bad = [size for size in sizes if size not in good]
        if good and bad and max(good) > min(bad):
            return say("mtu", job.number, -1, -1)  # big ones pass where small ones do not: it is not the size
        low, high = max([low] + good), min([high] + bad)
    say("mtu", job.number, low, high)


def ask(words):
    jobs = [Job(i, w) for i, w in enumerate(words[:24])]
    capture = None
    try:
        capture = open_capture(answers_filter())
        say("capture", "yes")
    except (OSError, ImportError) as e:
        say("capture", "no", name_of(e.errno) if isinstance(e, OSError) else "ctypes")
    tries([j for j in jobs if j.kind in ("connect", "datagram", "dns")], capture)
    mute = set()  # who answers no small echo is not asked with big ones
    for job in jobs:
        try:
            if job.kind == "echo" and not echo(job, capture):
                mute.add(job.address)
            elif job.kind == "mtu" and job.address not in mute:
                path_mtu(job, capture)
        except OSError as e:
            say("error", job.number, name_of(e.errno))
    if capture:
        read_answers(capture, jobs)
    say("end")


# ---- watching ----------------------------------------------------------------------------------------------------------


def watch(seconds, protocol, marks, tunnels):
    """One line for each packet from or to a mark (address and port, 0: any): its link, way, identity, header."""
    s = open_capture(marks_filter(marks, tunnels))
    signal.signal(signal.SIGTERM, lambda *_: stop(s))
    say("ready")
    until = time.monotonic() + min(seconds, LIMIT)
    while time.monotonic() < until and not over():
        if not select.select([s], [], [], 0.05)[0]:
            continue
        try:
            data, (link, _, way, _, raw) = s.recvfrom(2048)
        except OSError:
            continue
        see(data, link, "out" if way == OUTGOING else "in", protocol, marks, tunnels, "plain")
    stop(s)


def see(data, link, way, protocol, marks, tunnels, wrap):
    top = ip_of(data)
    if top is None:
        return
    source, target, carried, ttl, body = top
    if wrap == "plain" and carried == 4:
        return see(body, link, way, protocol, marks, tunnels, "ipip")
    if wrap == "plain" and carried == 17 and len(body) > 30 and struct.unpack("!H", body[2:4])[0] in tunnels:
        return see(body[30:], link, way, protocol, marks, tunnels, "tunnel")
    if carried != protocol or len(body) < 8:
        return
    sport, dport = (0, 0) if protocol in (1, 58) else struct.unpack("!HH", body[:4])
    forward = any(target == a and p in (0, dport) for a, p in marks)
    reply = any(source == a and p in (0, sport) for a, p in marks)
    if forward == reply:
        return
    # What no translation of addresses changes: TCP's first sequence number, an echo's sequence, a payload.
    if protocol == 6:
        if len(body) < 20:
            return
        seq, ack, flags = struct.unpack("!IIxB", body[4:14])
        if forward and flags & 0x12 == 0x02:
            identity = seq
        elif reply and flags & 0x16 in (0x12, 0x14):
            identity = (ack - 1) & 0xFFFFFFFF
        else:
            return
    elif protocol in (1, 58):
        if body[0] not in (8, 0, 128, 129):
            return
        identity = struct.unpack("!I", body[4:8])[0]
    else:
        identity = int.from_bytes(body[8:24], "big") % (1 << 48) if forward else 0
    say("see", link, way, "forward" if forward else "reply", identity, ttl, source, sport, target, dport, wrap)


def stop(s):
    try:
        _, dropped = struct.unpack("II", s.getsockopt(263, 6, 8))  # SOL_PACKET, PACKET_STATISTICS
        say("dropped", dropped)
    except OSError:
        pass
    sys.stdout.flush()
    os._exit(0)


def main():
    words = sys.argv[1:]
    if words and words[0].startswith("watch,"):
        _, seconds, protocol, marks, tunnels = words[0].split(",")
        pairs = [m.rsplit("/", 1) for m in marks.split("+")]
        watch(float(seconds), int(protocol), [(a, int(p)) for a, p in pairs], [int(t) for t in tunnels.split("+") if t])
    else:
        ask(words)


main()
