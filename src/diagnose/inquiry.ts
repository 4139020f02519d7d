/** What a check is given: the question, the state, and what became of the packets. */
import type { Ip } from '../base/ip.ts'
import type { KubeObjects, NodeObject, PodObject, ServiceObject } from '../kubeobj/objects.ts'
import type { Finding, Question } from '../model/finding.ts'
import type { Netns, NetnsId, Network } from '../model/network.ts'
import type { AnswerSender, CounterMove, Sightings, SilentNeighbour } from '../model/probe.ts'
import type { ConnectionTrace, DropCause, Hop, PacketTrace, Step } from '../model/trace.ts'

/** Who asks. `netns` null: outside the network, or a place nothing was collected from. */
export interface Source {
  readonly label: string
  readonly netns: NetnsId | null
  /** The address it sends from; null leaves the choice to routing. */
  readonly ip: Ip | null
  readonly pod?: PodObject
  readonly node?: NodeObject
  /** It was not collected, but a node has a host route to it by this link. */
  readonly behind?: { readonly netns: NetnsId; readonly link: string }
}

/** One address the question may mean: a headless Service or a dual-stack name has several. */
export interface Target {
  readonly label: string
  readonly ip: Ip
  /** Null for protocols without ports. */
  readonly port: number | null
  /** Share of connections that go here; all targets of a question add up to 1. */
  readonly share: number
  readonly pod?: PodObject
  readonly node?: NodeObject
  readonly service?: ServiceObject
  /** Name or number of the Service port asked for. */
  readonly servicePort?: string
}

/** One outcome of one packet sent for the question. */
export interface Branch {
  readonly source: Source
  readonly target: Target
  /** Its probability already counts the share of the target. */
  readonly trace: ConnectionTrace
  /** A connection that must work first: the DNS query before a connection by name. */
  readonly stage?: 'dns'
}

/** One way in which the connection does not work: the step that ended it, and where. */
export interface Failure {
  readonly branch: Branch
  readonly probability: number
  readonly direction: 'forward' | 'reply'
  readonly trace: PacketTrace
  readonly hop: Hop
  readonly step: Step
  readonly netns: Netns | undefined
  readonly cause: DropCause | undefined
}

/** What the probes of `--prove` saw; absent without them. */
export interface ProbeReport {
  readonly results: readonly ProbeResult[]
  /** Where the packets were seen; absent when nobody watched. */
  readonly sightings?: Sightings
  /** Counters that stood higher after the probes, and of which netns counters were read at all. */
  readonly moved?: readonly CounterMove[]
  readonly counted?: readonly NetnsId[]
  readonly silent?: readonly SilentNeighbour[]
  /** What could not be tried or seen, a sentence each. */
  readonly notes?: readonly string[]
}

export interface ProbeResult {
  /** What was sent: TCP connects, datagrams awaiting an answer, DNS queries, echoes, echoes of many sizes with DF. */
  readonly kind: 'connect' | 'datagram' | 'dns' | 'echo' | 'mtu'
  /**
   * `asked`: the connection of the question. `endpoint`: an address behind the Service. `loss` and `path-mtu`: beside it, from the
   * same source. `node-mtu`: between the nodes.
   */
  readonly purpose: 'asked' | 'endpoint' | 'loss' | 'path-mtu' | 'node-mtu'
  readonly target: string
  readonly address: Ip
  readonly sent: number
  readonly answered: number
  /** errno name of the failures, when there was one: ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT… */
  readonly error?: string
  /** `mtu`: largest IP packet answered (0: none), smallest that was not (0: none was lost), largest the sender could send. */
  readonly mtu?: { readonly largest: number; readonly lost: number; readonly configured: number }
  /** Median of the answered ones. */
  readonly milliseconds?: number
  /** Who refused, as seen on the wire. */
  readonly senders?: readonly AnswerSender[]
  /** Why refusals could not be seen on the wire. */
  readonly blind?: string
  readonly dns?: readonly { readonly rcode: number; readonly from: string; readonly answers: number }[]
  /** The command as run and what it printed: the proof. */
  readonly command: string
  readonly output: string
}

export interface Inquiry {
  readonly question: Question
  /** IANA number. */
  readonly protocol: number
  readonly network: Network
  readonly objects: KubeObjects
  readonly branches: readonly Branch[]
  readonly failures: readonly Failure[]
  readonly probes?: ProbeReport
}

/** A finding, and the change of the model its remedy amounts to (to try it out before proposing it). */
export interface Diagnosis {
  readonly finding: Finding
  readonly edit?: (network: Network) => Network
}

/** A check looks at one failure and names its cause, or says nothing. */
export interface Check {
  readonly name: string
  readonly explain: (failure: Failure, inquiry: Inquiry) => Diagnosis | null
}

/** Something seen beside the failing step. `hurts`: it spoils connections that the traces call reachable. */
export interface StateFinding {
  readonly finding: Finding
  readonly hurts: boolean
  /** With `hurts`: no connection of the question gets through, whatever its traces say. */
  readonly all?: boolean
  /** The change of the model the remedy amounts to, to try it out before it is called verified. */
  readonly edit?: (network: Network) => Network
}
