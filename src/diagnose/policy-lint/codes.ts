/** The codes `netwhy policy lint` gives. Those that `docs/codes.md` has too mean the same there: the cause of a failed connection. */
export interface LintCodeMeaning {
  readonly meaning: string
  readonly remedy: string
}

const MEANINGS = {
  'policy-invalid': {
    meaning:
      'The API server would refuse the policy, or a part of it means nothing: an unknown field, a bad port, a block that is none.',
    remedy: 'Correct the field; `kubectl apply --dry-run=server` agrees then.',
  },
  'policy-replaced': {
    meaning: 'Two documents have the same kind, namespace and name: only the later one is applied.',
    remedy: 'Give one of them another name, or remove it.',
  },
  'policy-types-forget-rules': {
    meaning:
      'policyTypes leaves out a direction for which there are rules: the rules are ignored, and the direction stays open.',
    remedy: 'Add the direction to policyTypes, or remove the rules.',
  },
  'policy-denies-dns': {
    meaning: 'A workload is isolated for egress and cannot ask the cluster DNS: names are not resolved.',
    remedy: "Admit UDP and TCP to the DNS pods, on the port they listen on (the DNS Service's targetPort).",
  },
  'dns-tcp-blocked': {
    meaning: 'The DNS is admitted over UDP and not over TCP: answers too long for UDP fail.',
    remedy: 'Admit TCP as well.',
  },
  'policy-uses-service-port': {
    meaning: "A rule names the Service's port; policies see the pod's port.",
    remedy: "Write the pod's port, or the container port's name.",
  },
  'policy-port-name-missing': {
    meaning: 'A rule names a port by a name that no pod it could be about has for this protocol.',
    remedy: 'Name the port in the container, or write its number.',
  },
  'policy-selects-nothing': {
    meaning: 'The podSelector selects no pod of its namespace: the policy does nothing.',
    remedy: "Correct the selector, or the pods' labels; the nearest label is named.",
  },
  'policy-peer-matches-nothing': {
    meaning: 'The selectors of a peer find no pod: the rule admits nobody through it.',
    remedy: 'Correct the selector; the nearest label is named.',
  },
  'policy-label-missing': {
    meaning: 'A namespaceSelector asks for a label that no namespace has.',
    remedy: 'Use kubernetes.io/metadata.name, which every namespace has, or label the namespace.',
  },
  'policy-peer-and-or': {
    meaning:
      'namespaceSelector and podSelector are joined the other way than meant: in one list item both must match, as two items either does.',
    remedy: 'Write the selectors as one item (and) or as two (or).',
  },
  'policy-host-network': {
    meaning:
      'Selectors find only pods on the host network: policies do not apply to them, and no selector admits them as peers.',
    remedy: 'Use an ipBlock of node addresses for peers; protect such pods on the node.',
  },
  'policy-selects-ended-pods': {
    meaning: 'Selectors find only pods that have ended.',
    remedy: 'Nothing, when they come again (Jobs); else correct the selector.',
  },
  'policy-rule-shadowed': {
    meaning: 'What a rule admits, another rule of the same policy, or of a policy of the same pods, admits already.',
    remedy: 'Remove the rule, or make the wider one narrower.',
  },
  'policy-redundant': {
    meaning:
      'Without this policy the same connections are allowed: others isolate the same pods and admit all that it admits.',
    remedy: 'Remove it, or make the wider ones narrower.',
  },
  'policy-rule-never-matches': {
    meaning: 'No connection can match: the except blocks cover the whole ipBlock.',
    remedy: 'Make the except blocks smaller, or remove the rule.',
  },
  'policy-ipblock-in-cluster': {
    meaning:
      'An ipBlock is inside the pod or Service range: pod addresses change, and Service addresses are translated before policies see them.',
    remedy: 'Use podSelector and namespaceSelector.',
  },
  'policy-ipblock-nat': {
    meaning:
      "An ipBlock names clients that come through a NodePort or LoadBalancer with externalTrafficPolicy Cluster: the pod sees a node's address.",
    remedy: 'externalTrafficPolicy: Local keeps the client address; or admit the nodes.',
  },
  'policy-not-enforced': {
    meaning: 'Policies exist and the network plugin in these manifests enforces none.',
    remedy: 'Install a policy engine.',
  },
  'policy-priority-equal': {
    meaning: 'Two policies of one tier have the same priority and disagree about a pod: which wins is not defined.',
    remedy: 'Give them different priorities.',
  },
  'policy-rule-unreachable': {
    meaning: 'A rule that comes earlier decides all that this rule could match.',
    remedy: 'Move the rule up, give the policy a lower priority number, or remove it.',
  },
  'policy-pass-in-baseline': {
    meaning: 'A Baseline rule says Pass: nothing comes after the Baseline tier, so it means allow.',
    remedy: 'Write Accept (Allow), or Deny.',
  },
  'policy-admin-denies-dns': {
    meaning: 'A policy of the Admin tier denies the cluster DNS; no NetworkPolicy can admit it again.',
    remedy: 'Accept or pass the DNS in a rule before it.',
  },
} as const satisfies Readonly<Record<string, LintCodeMeaning>>

export type LintCode = keyof typeof MEANINGS
export const LINT_CODES: Readonly<Record<LintCode, LintCodeMeaning>> = MEANINGS
