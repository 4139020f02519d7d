/** The sampled connections, tried on the model: what became of each, and the causes of those that fail. */
import { formatIp } from '../../base/ip.ts'
import type { Answer, Finding } from '../../model/finding.ts'
import type { ClusterState } from '../cluster/check.ts'
import { type Explained, explainAll, inquire, verified } from '../diagnose.ts'
import type { Branch, Failure } from '../inquiry.ts'
import { ask } from '../question/ask.ts'
import type { Asked } from '../question/asked.ts'
import { QuestionError } from '../question/resolve.ts'
import { sharesOf } from '../verdict.ts'
import { questionText, type SampleQuestion, type Traffic } from './sample.ts'

/** Fate of one sampled connection. `outside`: it leaves what was collected, as it should. */
export type Fate = Exclude<Answer['verdict'], 'reachable'> | 'delivered' | 'outside'

export interface Tried {
  readonly question: SampleQuestion
  readonly fate: Fate
  readonly branches: readonly Branch[]
}

/** One cause, and the sampled connections that die of it. */
export interface Cause {
  readonly finding: Finding
  readonly edit: boolean
  readonly victims: readonly Tried[]
}

export interface Trial {
  readonly tried: readonly Tried[]
  readonly causes: readonly Cause[]
}

/** Causes beyond this many are not tried for their remedy: somebody waits. */
const MOST_REMEDIES = 20

function fateOf(branches: readonly Branch[], certain: ReadonlySet<Branch>): Fate {
  const s = sharesOf(branches, certain)
  const dust = 1e-9
  if (s.failed > dust) return s.delivered > dust ? 'partial' : 'unreachable'
  if (s.undecided > dust || s.delivered + s.outside <= dust) return 'unknown'
  return s.outside > dust ? 'outside' : 'delivered'
}

function keyOf({ code, where, title }: Finding): string {
  return [code, where.node, where.netns, where.link, where.object, title].join('\0')
}

/** The load balancer sent a pod back to itself. */
function toItself({ branch, step }: Failure): boolean {
  const to = formatIp(step.packet.dst)
  const from = formatIp(step.packet.src)
  const own = branch.source.pod?.podIPs ?? []
  return own.includes(to) && own.includes(from)
}

/** Tries every question; a question whose ends were not collected is left out. */
export function tryAll(state: ClusterState, questions: readonly SampleQuestion[]): Trial {
  const { network, objects } = state
  const tried: Tried[] = []
  const causes = new Map<string, { explained: Explained; asked: Asked; victims: Tried[] }>()
  for (const question of questions) {
    const asked = askedOf(state, question)
    if (asked === null) continue
    const q = inquire(network, objects, asked)
    const explained = explainAll(q)
    const errors = explained.filter((e) => e.diagnosis.finding.severity === 'error')
    const certain = new Set(errors.map((e) => e.failure.branch))
    const one: Tried = { question, fate: fateOf(q.branches, certain), branches: q.branches }
    tried.push(one)
    for (const e of explained) {
      // What else stops a pod's way to itself stops others too, or is a matter of how policy engines treat it.
      if (toItself(e.failure) && e.diagnosis.finding.code !== 'hairpin-off') continue
      const key = keyOf(e.diagnosis.finding)
      const known = causes.get(key)
      if (known) known.victims.push(one)
      else causes.set(key, { explained: e, asked, victims: [one] })
    }
  }
  let remedies = 0
  return {
    tried,
    causes: [...causes.values()].map(({ explained, asked, victims }) => ({
      finding:
        explained.diagnosis.edit && remedies++ < MOST_REMEDIES
          ? verified(explained, network, objects, asked)
          : explained.diagnosis.finding,
      edit: explained.diagnosis.edit !== undefined,
      victims,
    })),
  }
}

function askedOf({ network, objects }: ClusterState, question: SampleQuestion): Asked | null {
  try {
    const { from, to, protocol } = question
    const asked = ask(network, objects, { from, to, protocol, namespace: 'default' })
    return asked.targets.length > 0 ? asked : null
  } catch (e) {
    if (e instanceof QuestionError) return null
    throw e
  }
}

/** Tried connections of these kinds of traffic. */
export function ofTraffic(trial: Trial, ...kinds: readonly Traffic[]): Tried[] {
  return trial.tried.filter((t) => kinds.includes(t.question.traffic))
}

export function examplesOf(victims: readonly Tried[]): string[] {
  return victims.slice(0, 3).map((t) => questionText(t.question))
}
