/** What kubelet's probe of a pod ran into, read from its error text: which machine or process said no, or whether nobody did. */

export type ProbeOutcome = 'refused' | 'timeout' | 'no-route' | 'answered-badly' | 'other'

/**
 * net.Dial's texts are errno texts: ECONNREFUSED is a TCP reset (or an ICMP port-unreachable of a REJECT rule), ETIMEDOUT and
 * an expired deadline are silence, EHOSTUNREACH and ENETUNREACH come from routing or an unanswered ARP request.
 */
export function probeOutcome(message: string): ProbeOutcome {
  if (/no route to host|network is unreachable|host is down/i.test(message)) return 'no-route'
  if (/connection refused/i.test(message)) return 'refused'
  if (/statuscode|connection reset|server misbehaving|EOF|malformed HTTP|not SERVING/i.test(message))
    return 'answered-badly'
  if (/i\/o timeout|deadline exceeded|Client\.Timeout|timed? ?out|awaiting headers/i.test(message)) return 'timeout'
  return 'other'
}

/** What the outcome means for the network, for people. */
export function outcomeWords(outcome: ProbeOutcome): string {
  switch (outcome) {
    case 'refused':
      return 'connection refused: the probe reached the pod, so the way from its node is there; the process does not listen (yet), or a REJECT rule answered in its place'
    case 'timeout':
      return 'no answer in time: the probe or its answer is dropped on the way, or the process hangs'
    case 'no-route':
      return 'no route to host: the node has no way to the pod, or nobody answers ARP for its address'
    case 'answered-badly':
      return 'the process answered, and says that it is not ready: the way from its node to the pod works'
    case 'other':
      return 'the probe failed for a reason of its own'
  }
}
