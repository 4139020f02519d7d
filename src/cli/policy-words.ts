/** Why a rule does not match, in words for the one who wrote it. */
import type { PeerMiss, PortMiss, Reason } from '../intent/policy/result.ts'
import { formatRequirement } from '../intent/policy/selector.ts'

/** Sentences without a full stop, to stand behind the rule's name. */
export function peerMissText(miss: PeerMiss, side: 'from' | 'to'): string {
  const peer = side === 'from' ? 'the source' : 'the destination'
  switch (miss.kind) {
    case 'pod-label':
      return `wants pods with ${formatRequirement(miss.requirement)}; ${peer} has ${labelText(miss.requirement.key, miss.actual)}`
    case 'namespace-label':
      return `wants namespaces with ${formatRequirement(miss.requirement)}; ${miss.namespace} has ${labelText(miss.requirement.key, miss.actual)}`
    case 'node-label':
      return `wants nodes with ${formatRequirement(miss.requirement)}; ${miss.node} has ${labelText(miss.requirement.key, miss.actual)}`
    case 'other-namespace':
      return `a podSelector alone looks in namespace ${miss.wanted} only; ${peer} is in ${miss.actual}`
    case 'not-a-pod':
      return `selectors find pods only; ${peer} is ${NOT_POD[miss.what]}`
    case 'not-a-node':
      return `is about nodes; ${peer} is ${miss.what === 'pod' ? 'a pod' : 'an address outside'}`
    case 'not-entity':
      return `is about the entity ${String(miss.entity)}, which ${peer} is not`
    case 'not-outside':
      return `means addresses outside the cluster only; ${peer} is a ${miss.what}`
    case 'shut-out':
      return `leaves out ${miss.what}`
    case 'outside-block': {
      const { service } = miss
      const hint = service
        ? `; the block holds the address of Service ${service.namespace}/${service.name}, but policies see the pod behind it`
        : ''
      return `wants an address in ${miss.cidr}; ${peer} has ${miss.addresses.join(', ')}${hint}`
    }
    case 'excepted':
      return `leaves out ${miss.except} of ${miss.cidr}, where ${miss.address} is`
    case 'unknown':
      return `not known: ${miss.why}`
  }
}

const NOT_POD = {
  node: 'a node',
  'host-network-pod': 'a pod on the host network',
  address: 'an address outside',
} as const

const labelText = (key: string, actual: string | null) => (actual === null ? `no label ${key}` : `${key}=${actual}`)

export function portMissText(miss: PortMiss): string {
  switch (miss.kind) {
    case 'protocol':
      return `wants ${miss.wanted}, not ${miss.actual}`
    case 'number': {
      const wanted = miss.from === miss.to ? `port ${miss.from}` : `ports ${miss.from} to ${miss.to}`
      const hint = miss.service
        ? `; ${miss.from} is the port of Service ${miss.service.namespace}/${miss.service.name}, the pod listens on ${miss.actual}`
        : ''
      return `wants ${wanted}, not ${miss.actual}${hint}`
    }
    case 'name-absent':
      return `wants the port named ${miss.name}; the destination has none of that name for ${miss.protocol}`
    case 'name-other-number':
      return `wants the port named ${miss.name}, which is ${miss.numbers.join(' and ')} there, not ${miss.actual}`
    case 'name-without-pod':
      return `wants the port named ${miss.name}; only pods have named ports`
    case 'unknown':
      return `not known: ${miss.why}`
  }
}

/** What became of a direction; `subject` is the end it is about. */
export function reasonText(reason: Reason, subject: string, direction: 'egress' | 'ingress'): string {
  switch (reason.kind) {
    case 'not-a-subject':
      return reason.what === 'address'
        ? `${subject} is outside the cluster, where no policy is about it`
        : `policies are not about ${NOT_POD[reason.what]}`
    case 'not-isolated':
      return `no policy restricts the ${direction} of ${subject}`
    case 'admitted':
      return 'a rule allows it'
    case 'denied-by-rule':
      return 'a rule denies it'
    case 'same-pod':
      return 'a pod always reaches itself'
    case 'own-node':
      return `traffic between a pod and its own node ${reason.node} is always allowed`
    case 'no-rule-matches':
      return `policies isolate ${subject} and none of their rules allows it`
    case 'unknown':
      return reason.why.join('; ')
  }
}
