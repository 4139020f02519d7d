/** Words and marks of the matrix, the same in every format. */
import type { MatrixDirection, MatrixLevel, MatrixPlace, MatrixState, MatrixTraffic } from '../model/matrix.ts'

export const STATE_MARK: Readonly<Record<MatrixState, string>> = {
  works: '✓',
  fails: '✗',
  partial: '◐',
  denied: '⊘',
  leaves: '→',
  unknown: '?',
  'not-applicable': '–',
}

export const LEGEND = [
  '✓ works  ✗ fails  ◐ fails for some  ⊘ denied by a NetworkPolicy  ? not known',
  '→ leaves the cluster  – nothing to try; 2/6: it is so for 2 of 6 tried',
] as const

export const TRAFFIC_TITLE: Readonly<Record<MatrixTraffic, string>> = {
  'container-container': 'in the pod (localhost)',
  'pod-pod-same-node': 'to a pod, same node',
  'pod-pod-other-node': 'to a pod, other node',
  'pod-service': 'to a Service',
  'pod-internet': 'to the Internet',
}

export const DIRECTION_TITLE: Readonly<Record<MatrixDirection, string>> = {
  'pod-ip': 'direct',
  'cluster-ip': 'ClusterIP',
  'node-port': 'NodePort',
  'load-balancer': 'LoadBal.',
  'ingress-host': 'Ingress',
}

export const LEVEL_TITLE: Readonly<Record<MatrixLevel, string>> = {
  namespace: 'namespace (any pod of it)',
  node: 'node',
  pod: 'pod',
  container: 'container',
}

/** `✓ 6`, `✗ 2/6`, `–`. */
export function placeText(p: MatrixPlace): string {
  const mark = STATE_MARK[p.state]
  switch (p.state) {
    case 'not-applicable':
      return mark
    case 'works':
    case 'leaves': {
      const denied = p.counts.denied > 0 ? ` ⊘ ${p.counts.denied}` : ''
      return `${mark} ${p.counts[p.state]}${denied}`
    }
    case 'denied':
      return `${mark} ${p.counts.denied}/${p.tried}`
    case 'fails':
    case 'partial':
      return `${mark} ${p.counts.fails + p.counts.partial}/${p.tried}`
    case 'unknown':
      return p.tried === 0 ? mark : `${mark} ${p.counts.unknown}/${p.tried}`
  }
}
