/** `mesh-protocol-wrong`: the mesh reads the protocol from the port's name or appProtocol, and it is not the one spoken. */
import { sidecarOf } from '../../../kubeobj/mesh.ts'
import type { PodObject, ServiceObject, ServicePort } from '../../../kubeobj/objects.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { serviceProof } from '../../view/object-proof.ts'
import { logOf } from '../../view/pod-view.ts'
import { selectedPods, serviceName } from '../../view/service-view.ts'
import { shellWord } from '../../view/words.ts'

/** What the words mean on the wire (istio.io, "Protocol Selection"): `NAME[-suffix]`. */
const FAMILY: Readonly<Record<string, 'http' | 'tls' | 'tcp'>> = {
  http: 'http',
  http2: 'http',
  grpc: 'http',
  'grpc-web': 'http',
  h2c: 'http',
  ws: 'http',
  wss: 'tls',
  https: 'tls',
  tls: 'tls',
  tcp: 'tcp',
  mysql: 'tcp',
  mongo: 'tcp',
  redis: 'tcp',
  postgres: 'tcp',
  postgresql: 'tcp',
  pgsql: 'tcp',
  amqp: 'tcp',
  kafka: 'tcp',
}
/** Ports whose protocol everybody knows (IANA). */
const KNOWN_PORT: Readonly<Record<number, 'http' | 'tcp'>> = {
  80: 'http',
  3306: 'tcp',
  5432: 'tcp',
  6379: 'tcp',
  27017: 'tcp',
  5672: 'tcp',
  9092: 'tcp',
}
/** Envoy's access log: the upstream ended the connection, or spoke something else. */
const PROTOCOL_ERROR =
  /\b50[23] (UC|UF|UPE|DPE)\b.*(upstream_reset_before_response_started|protocol_error|http1\.codec_error|TLS_error|WRONG_VERSION_NUMBER)/i

function familyOf(name: string | undefined): 'http' | 'tls' | 'tcp' | undefined {
  if (name === undefined || name === '') return undefined
  const whole = name.toLowerCase()
  return FAMILY[whole] ?? (whole.startsWith('grpc-web') ? 'http' : FAMILY[whole.split('-')[0] ?? ''])
}

/** appProtocol wins over the name; `kubernetes.io/h2c` and the like count by their last word. */
function declared(p: ServicePort): { readonly family: 'http' | 'tls' | 'tcp'; readonly by: string } | null {
  const app = p.appProtocol === undefined ? undefined : familyOf(p.appProtocol.replace(/^.*\//, ''))
  if (app) return { family: app, by: `appProtocol ${p.appProtocol}` }
  const named = familyOf(p.name)
  return named ? { family: named, by: `the port's name ${p.name}` } : null
}

function spoken(
  p: ServicePort,
  pods: readonly PodObject[],
): { readonly family: 'http' | 'tls' | 'tcp'; readonly by: string } | null {
  for (const pod of pods)
    for (const c of pod.containers)
      for (const x of c.ports) {
        if (x.containerPort !== p.targetPort && (x.name === undefined || x.name !== p.targetPort)) continue
        const family = familyOf(x.name)
        if (family) return { family, by: `the container calls port ${x.containerPort} ${x.name}` }
        const known = KNOWN_PORT[x.containerPort]
        if (known)
          return {
            family: known,
            by: `port ${x.containerPort} of the container is a ${known === 'tcp' ? 'database or message' : 'plain HTTP'} port by custom`,
          }
      }
  const known = KNOWN_PORT[p.port]
  return known
    ? {
        family: known,
        by: `port ${p.port} is ${known === 'tcp' ? 'a database or message' : 'the plain HTTP'} port by custom`,
      }
    : null
}

export const meshProtocol: ClusterCheck = {
  name: 'mesh-protocol-wrong',
  find(state) {
    if (!state.objects.pods.some((p) => sidecarOf(p) !== null)) return []
    return state.objects.services.flatMap((s) => {
      const pods = selectedPods(state.objects, s)
      return pods.some((p) => sidecarOf(p) !== null) ? s.ports.flatMap((p) => judge(state, s, p, pods)) : []
    })
  },
}

function judge(
  { network }: ClusterState,
  s: ServiceObject,
  p: ServicePort,
  pods: readonly PodObject[],
): ClusterFinding[] {
  const said = declared(p)
  const real = spoken(p, pods)
  // tcp carries everything: the mesh only sees less of it.
  if (p.protocol !== 'TCP' || !said || !real || said.family === 'tcp' || said.family === real.family) return []
  const logged = pods.flatMap((pod) => logOf(network, pod).filter((e) => PROTOCOL_ERROR.test(e.text))).slice(-3)
  const right = real.family === 'tcp' ? 'tcp' : real.family === 'tls' ? 'https' : 'http'
  const index = s.ports.indexOf(p)
  const patch = JSON.stringify([{ op: 'add', path: `/spec/ports/${index}/appProtocol`, value: right }])
  return [
    clusterFinding('mesh-protocol-wrong', {
      severity: logged.length > 0 ? 'error' : 'warning',
      hurts: logged.length > 0,
      title: `port ${p.port} of Service ${serviceName(s)} is declared ${said.family === 'tls' ? 'TLS' : 'HTTP'} to the mesh but speaks ${right}`,
      text: `The mesh takes ${said.by} at its word; ${real.by}. Its proxy then speaks the wrong protocol: 503 (UC, UF) through the mesh, or a connection that hangs where the server speaks first; without the mesh all works.`,
      where: { object: `Service ${serviceName(s)}` },
      concerns: [{ kind: 'service', namespace: s.meta.namespace, name: s.meta.name }],
      evidence: [
        {
          ...serviceProof(s),
          text: `${serviceProof(s).text}; port ${p.port} named ${p.name || '(none)'}${p.appProtocol ? ` appProtocol ${p.appProtocol}` : ''}`,
        },
        ...logged,
      ],
      remedy: {
        text: `Name the port ${right}-…, or set its appProtocol.`,
        commands: [
          `kubectl -n ${shellWord(s.meta.namespace)} patch service ${shellWord(s.meta.name)} --type json -p ${shellWord(patch)}`,
        ],
      },
    }),
  ]
}
