# Asks with real packets from the network namespace it runs in; run by netwhy --prove, or by hand: sh -s -- connect ADDRESS PORT
# COUNT WAIT [SPORT]. Uses what is there: python3, perl, bash, nc or curl. Prints one line per try: `ok MILLISECONDS` or
# `fail ERRNO`; for pings what ping prints. Leaves nothing behind.
set -u
kind=$1 address=$2 port=$3 count=$4 wait=$5 sport=${6:-0}
have() { command -v "$1" >/dev/null 2>&1; }

python_probe() {
  exec python3 -c '
import errno, os, socket, sys, time
kind, address, port, count, wait, sport = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]), int(sys.argv[6])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
query = bytes.fromhex("4e5701000001000000000000") + b"\x07netwhy1\x07invalid\x00\x00\x01\x00\x01"
quiet = 0
for _ in range(count):
    s = socket.socket(family, socket.SOCK_STREAM if kind == "connect" else socket.SOCK_DGRAM)
    s.settimeout(wait)
    began = time.monotonic()
    try:
        if sport:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("", sport))
        s.connect((address, port))
        if kind != "connect":
            s.send(query if port == 53 else b"netwhy")
            s.recv(2048)
        print("ok %.1f" % ((time.monotonic() - began) * 1000), flush=True)
        quiet = 0
    except socket.timeout:
        print("fail ETIMEDOUT", flush=True)
        quiet += 1
    except OSError as e:
        print("fail " + errno.errorcode.get(e.errno, str(e.errno)), flush=True)
        quiet = 0
    finally:
        s.close()
    if quiet >= 2:
        break
' "$kind" "$address" "$port" "$count" "$wait" "$sport"
}

perl_probe() {
  exec perl -MSocket=:all -MErrno -MTime::HiRes=time -e '
$| = 1;
my ($kind, $address, $port, $count, $wait, $sport) = @ARGV;
my $six = $address =~ /:/;
my $to = $six ? pack_sockaddr_in6($port, inet_pton(AF_INET6, $address)) : pack_sockaddr_in($port, inet_aton($address));
my $query = pack("H*", "4e5701000001000000000000") . "\x07netwhy1\x07invalid\x00\x00\x01\x00\x01";
my %names = (Errno::ECONNREFUSED, "ECONNREFUSED", Errno::EHOSTUNREACH, "EHOSTUNREACH", Errno::ENETUNREACH, "ENETUNREACH", Errno::ETIMEDOUT, "ETIMEDOUT", Errno::EACCES, "EACCES", Errno::EPERM, "EPERM");
my $quiet = 0;
for (1 .. $count) {
  socket(my $s, $six ? AF_INET6 : AF_INET, $kind eq "connect" ? SOCK_STREAM : SOCK_DGRAM, 0) or die "socket: $!";
  bind($s, pack_sockaddr_in($sport, INADDR_ANY)) if $sport && !$six;
  my ($began, $failed) = (time, "");
  my $done = eval {
    local $SIG{ALRM} = sub { die "late\n" };
    Time::HiRes::alarm($wait);
    if (!connect($s, $to)) { $failed = $names{$! + 0} || $! + 0; }
    elsif ($kind ne "connect") {
      send($s, $port == 53 ? $query : "netwhy", 0);
      if (!defined recv($s, my $answer, 2048, 0)) { $failed = $names{$! + 0} || $! + 0; }
    }
    Time::HiRes::alarm(0);
    1;
  };
  $failed = "ETIMEDOUT" unless $done;
  close $s;
  if ($failed eq "") { printf "ok %.1f\n", (time - $began) * 1000; $quiet = 0 }
  else { print "fail $failed\n"; $quiet = $failed eq "ETIMEDOUT" ? $quiet + 1 : 0 }
  last if $quiet >= 2;
}
' "$kind" "$address" "$port" "$count" "$wait" "$sport"
}

# One TCP connect by a program that only says yes or no in words.
shell_connect() {
  if have bash && have timeout; then
    said=$(timeout "$wait" bash -c 'exec 3<>"/dev/tcp/$1/$2"' sh "$address" "$port" 2>&1)
    code=$?
    [ $code -eq 124 ] && { echo 'fail ETIMEDOUT'; return 1; }
  elif have nc; then
    said=$(nc -z -w "${wait%.*}" "$address" "$port" 2>&1)
    code=$?
  elif have curl; then
    case $address in *:*) url="telnet://[$address]:$port" ;; *) url="telnet://$address:$port" ;; esac
    said=$(curl -sS --connect-timeout "$wait" -m "$wait" "$url" 2>&1 </dev/null)
    code=$?
    # 28 after a connection was made is the transfer that never ends: the connect itself worked.
    [ $code -eq 28 ] && case $said in *onnect*) ;; *) code=0 ;; esac
  else
    echo 'none: no python3, perl, bash, nc or curl here'
    exit 3
  fi
  [ $code -eq 0 ] && { echo 'ok 0'; return 0; }
  case $said in
    *refused*) echo 'fail ECONNREFUSED' ;;
    *'o route to host'*) echo 'fail EHOSTUNREACH' ;;
    *nreachable*) echo 'fail ENETUNREACH' ;;
    # curl does not say which errno it was, only that there was one.
    *"ouldn't connect"*) echo 'fail ECONNECT' ;;
    *) echo 'fail ETIMEDOUT'; return 1 ;;
  esac
}

case $kind in
  echo) exec ping -n -q -c "$count" -i 0.05 -W "$wait" "$address" ;;
  # `port` is the length of the IP packet: 28 bytes of headers for IPv4, 48 for IPv6.
  big-echo)
    case $address in *:*) size=$((port - 48)) ;; *) size=$((port - 28)) ;; esac
    exec ping -n -M do -s "$size" -c "$count" -i 0.2 -W "$wait" "$address"
    ;;
  connect | datagram)
    have python3 && python_probe
    have perl && perl_probe
    [ "$kind" = datagram ] && { echo 'none: no python3 or perl here'; exit 3; }
    quiet=0
    for _ in $(seq "$count"); do
      if shell_connect; then quiet=0; else quiet=$((quiet + 1)); fi
      [ $quiet -ge 2 ] && break
    done
    exit 0
    ;;
  *) echo "probe: $kind is no kind of probe" >&2; exit 2 ;;
esac
