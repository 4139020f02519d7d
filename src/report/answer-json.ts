/** The Answer as the CONTRACT prints it: a plain object in stable order, safe to serialise as JSON or YAML. */
import type { Evidence } from '../model/evidence.ts'
import type { Answer, Finding } from '../model/finding.ts'
import type { ConnectionTrace, Hop, Step } from '../model/trace.ts'
import { clean, LINE_LIMIT } from './clean.ts'
import { encapJson, netnsName, packetJson } from './packet-text.ts'

const LIMIT = LINE_LIMIT * 10

export function evidenceJson(e: Evidence): Record<string, unknown> {
  return {
    artefact: clean(e.artefact, LIMIT),
    ...(e.line === undefined ? {} : { line: e.line }),
    text: clean(e.text, LIMIT),
    ...(e.source === undefined ? {} : { source: clean(e.source, LIMIT) }),
  }
}

function stepJson(s: Step): Record<string, unknown> {
  return {
    kind: s.kind,
    text: clean(s.text, LIMIT),
    ...(s.link === undefined ? {} : { link: s.link }),
    ...(s.hook === undefined ? {} : { hook: s.hook }),
    ...(s.table === undefined ? {} : { table: s.table }),
    ...(s.chain === undefined ? {} : { chain: s.chain }),
    ...(s.rule === undefined ? {} : { rule: clean(s.rule, LIMIT) }),
    ...(s.object === undefined ? {} : { object: s.object }),
    packet: packetJson(s.packet),
    ...(s.encap && s.encap.length > 0 ? { encap: s.encap.map(encapJson) } : {}),
    verdict: s.verdict,
    ...(s.cause === undefined ? {} : { cause: s.cause }),
    evidence: s.evidence.map(evidenceJson),
  }
}

function hopJson(h: Hop): Record<string, unknown> {
  return { node: h.node, netns: netnsName(h), steps: h.steps.map(stepJson) }
}

function branchJson(b: ConnectionTrace): Record<string, unknown> {
  const unknowns = [...b.forward.unknowns, ...(b.reply?.unknowns ?? [])]
  return {
    probability: round(b.probability),
    disposition: b.disposition,
    forward: b.forward.hops.map(hopJson),
    reply: b.reply ? b.reply.hops.map(hopJson) : [],
    ...(unknowns.length > 0 ? { unknowns: unknowns.map((u) => clean(u, LIMIT)) } : {}),
  }
}

export function findingJson(f: Finding): Record<string, unknown> {
  return {
    code: f.code,
    severity: f.severity,
    title: clean(f.title, LIMIT),
    text: clean(f.text, LIMIT),
    where: f.where,
    evidence: f.evidence.map(evidenceJson),
    ...(f.remedy
      ? {
          remedy: {
            text: clean(f.remedy.text, LIMIT),
            ...(f.remedy.commands ? { commands: f.remedy.commands.map((c) => clean(c, LIMIT)) } : {}),
            ...(f.remedy.commands && f.remedy.on ? { on: f.remedy.on } : {}),
            ...(f.remedy.manifest ? { manifest: f.remedy.manifest } : {}),
            verified: f.remedy.verified,
            ...(f.remedy.breaks ? { breaks: f.remedy.breaks } : {}),
          },
        }
      : {}),
  }
}

/** Six significant decimals: 1/3 + 1/3 + 1/3 prints as 1. */
function round(p: number): number {
  return Math.round(p * 1e6) / 1e6
}

/** The object `netwhy why -o json` prints. */
export function answerJson(a: Answer): Record<string, unknown> {
  return {
    apiVersion: 'netwhy/v1',
    kind: 'Answer',
    question: a.question,
    verdict: a.verdict,
    successProbability: a.successProbability === null ? null : round(a.successProbability),
    rootCause: a.rootCause,
    branches: a.branches.map(branchJson),
    findings: a.findings.map(findingJson),
    ...(a.probes
      ? { probes: a.probes.map((p) => ({ ...p, text: clean(p.text, LIMIT), command: clean(p.command, LIMIT) })) }
      : {}),
    ...(a.proof ? { proof: { outcome: a.proof.outcome, text: clean(a.proof.text, LIMIT) } } : {}),
    missing: a.missing.map((m) => ({ artefact: clean(m.artefact, LIMIT), consequence: clean(m.consequence, LIMIT) })),
  }
}
