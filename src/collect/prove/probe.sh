# Asks with real packets where there is no python3, with what there is: perl, bash, nc, curl, ping. One argument per job:
# KIND,ADDRESS,PORT,COUNT,WAIT,SPORT,EXTRA. Prints the lines of probe.py, without who sent a refusal. Leaves nothing behind.
set -u
have() { command -v "$1" >/dev/null 2>&1; }

# TCP connects and datagrams; a datagram to port 53 is a query for the name EXTRA.
perl_tries() {
  perl -MSocket=:all -MErrno -MTime::HiRes=time -e '
$| = 1;
my ($n, $kind, $address, $port, $count, $wait, $sport, $name) = @ARGV;
my $six = $address =~ /:/;
my $to = $six ? pack_sockaddr_in6($port, inet_pton(AF_INET6, $address)) : pack_sockaddr_in($port, inet_aton($address));
my $query = pack("n6", 0x4e57, 0x100, 1, 0, 0, 0) . join("", map { pack("C", length) . $_ } split /\./, $name || "netwhy.invalid") . pack("Cn2", 0, 1, 1);
my %names = (Errno::ECONNREFUSED, "ECONNREFUSED", Errno::EHOSTUNREACH, "EHOSTUNREACH", Errno::ENETUNREACH, "ENETUNREACH", Errno::ETIMEDOUT, "ETIMEDOUT", Errno::EACCES, "EACCES", Errno::EPERM, "EPERM");
my $quiet = 0;
for (1 .. $count) {
  socket(my $s, $six ? AF_INET6 : AF_INET, $kind eq "connect" ? SOCK_STREAM : SOCK_DGRAM, 0) or die "socket: $!";
  bind($s, pack_sockaddr_in($sport, INADDR_ANY)) if $sport && !$six;
  my ($began, $failed, $answer) = (time, "", "");
  my $done = eval {
    local $SIG{ALRM} = sub { die "late\n" };
    Time::HiRes::alarm($wait);
    if (!connect($s, $to)) { $failed = $names{$! + 0} || $! + 0; }
    elsif ($kind ne "connect") {
      send($s, $kind eq "dns" ? $query : "netwhy", 0);
      if (!defined recv($s, $answer, 2048, 0)) { $failed = $names{$! + 0} || $! + 0; }
    }
    Time::HiRes::alarm(0);
    1;
  };
  $failed = "ETIMEDOUT" unless $done;
  close $s;
  printf "dns %d %d %s %d\n", $n, (unpack("n4", $answer))[1] & 15, $address, (unpack("n4", $answer))[3] if $kind eq "dns" && length $answer >= 12;
  if ($failed eq "") { printf "try %d ok %.1f 0\n", $n, (time - $began) * 1000; $quiet = 0 }
  else { print "try $n fail $failed 0\n"; $quiet = $failed eq "ETIMEDOUT" ? $quiet + 1 : 0 }
  last if $quiet >= 2;
}
' "$@"
}

# One TCP connect by a program that only says yes or no in words.
shell_connect() {
  if have bash && have timeout; then
    said=$(timeout "$wait" bash -c 'exec 3<>"/dev/tcp/$1/$2"' sh "$address" "$port" 2>&1)
    code=$?
    [ $code -eq 124 ] && { echo "try $n fail ETIMEDOUT 0"; return 1; }
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
    return 1
  fi
  [ $code -eq 0 ] && { echo "try $n ok 0 0"; return 0; }
  case $said in
    *refused*) echo "try $n fail ECONNREFUSED 0" ;;
    *'o route to host'*) echo "try $n fail EHOSTUNREACH 0" ;;
    *nreachable*) echo "try $n fail ENETUNREACH 0" ;;
    # curl does not say which errno it was, only that there was one.
    *"ouldn't connect"*) echo "try $n fail ECONNECT 0" ;;
    *) echo "try $n fail ETIMEDOUT 0"; return 1 ;;
  esac
}

ping_count() { # received, by the summary line of iputils and busybox
  sed -n 's/.* \([0-9][0-9]*\) \(packets \)\{0,1\}received.*/\1/p' | head -n 1
}

n=-1
for job in "$@"; do
  n=$((n + 1))
  IFS=, read -r kind address port count wait sport extra <<EOT
$job
EOT
  case $address in *:*) head=48 ;; *) head=28 ;; esac
  case $kind in
    connect | datagram | dns)
      if have perl; then
        perl_tries "$n" "$kind" "$address" "$port" "$count" "$wait" "$sport" "$extra"
      elif [ "$kind" = connect ]; then
        quiet=0 i=0
        while [ $i -lt "$count" ] && [ $quiet -lt 2 ]; do
          i=$((i + 1))
          if shell_connect; then quiet=0; else quiet=$((quiet + 1)); fi
        done
      fi
      ;;
    echo)
      have ping || continue
      got=$(ping -n -q -c "$count" -i 0.05 -W 1 "$address" 2>/dev/null | ping_count)
      [ -n "$got" ] && echo "echo $n $count $got - -"
      ;;
    mtu)
      have ping || continue
      low=${extra%-*} high=${extra#*-}
      big=$(ping -n -M do -s $((high - head)) -c 4 -i 0.2 -W 1 "$address" 2>/dev/null | ping_count)
      small=$(ping -n -M do -s $((low - head)) -c 2 -i 0.2 -W 1 "$address" 2>/dev/null | ping_count)
      [ "${big:-0}" -gt 0 ] && echo "mtu $n $high 0" && continue
      [ "${small:-0}" -gt 0 ] && echo "mtu $n $low $high"
      ;;
  esac
done
echo end
