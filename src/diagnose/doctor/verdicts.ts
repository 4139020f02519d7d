/** The two verdict lines: what the set-up state says, corrected by what tried connections showed. */
import type { NetworkState, Report } from '../../model/finding.ts'
import type { SetupState } from '../setup/state.ts'
import { ofTraffic, type Trial, type Tried } from './tried.ts'

interface Judged {
  readonly state: NetworkState
  readonly because: string
}

/** Connections that fail for a cause that is a fault, not an intention. */
export type Faulty = ReadonlySet<Tried>

function judge(tried: readonly Tried[], faulty: Faulty, what: string): Judged | null {
  const failing = tried.filter((t) => faulty.has(t))
  if (failing.length > 0)
    return { state: 'failing', because: `${failing.length} of ${tried.length} ${what} fail on the collected state` }
  const works = tried.filter((t) => t.fate === 'delivered' || t.fate === 'outside')
  if (works.length > 0 && works.length + intended(tried, faulty) === tried.length)
    return { state: 'ok', because: `all ${tried.length} ${what} that were tried on the collected state get through` }
  return null
}

function intended(tried: readonly Tried[], faulty: Faulty): number {
  return tried.filter((t) => (t.fate === 'unreachable' || t.fate === 'partial') && !faulty.has(t)).length
}

/** A Ready node is never taken for a working container network: without tried connections it is `unknown`, however ready. */
export function verdictsOf(setup: SetupState, trial: Trial, faulty: Faulty): Pick<Report, 'verdicts' | 'because'> {
  const host = judge(ofTraffic(trial, 'node-node'), faulty, 'connections between nodes')
  const container = judge(ofTraffic(trial, 'pod-pod', 'node-pod', 'pod-service', 'dns'), faulty, 'connections of pods')
  const bad = (s: NetworkState) => s === 'failing' || s === 'not-ready'
  const fromObjects =
    setup.hostNetwork === 'ok'
      ? 'the kubelets of the nodes report, and the pods of the host network run'
      : setup.because
  const hostNetwork = host && !bad(setup.hostNetwork) ? host : { state: setup.hostNetwork, because: fromObjects }
  const containerNetwork =
    container && !bad(setup.containerNetwork) ? container : { state: setup.containerNetwork, because: setup.because }
  return {
    verdicts: {
      hostNetwork: hostNetwork.state,
      containerNetwork: containerNetwork.state,
      setupState: setup.state,
    },
    because: {
      hostNetwork: hostNetwork.because,
      containerNetwork: containerNetwork.because,
      setupState: setup.because,
    },
  }
}
