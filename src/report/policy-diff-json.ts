/** The comparison as `-o json` prints it (docs/policy.md): a plain object in stable order. */
import type { PolicyCause, PolicyDiff, PolicyDifference } from '../model/policy-diff.ts'
import { clean } from './clean.ts'

const LIMIT = 1000
const text = (t: string) => clean(t, LIMIT)

function causeJson(c: PolicyCause): Record<string, unknown> {
  return {
    change: c.change,
    object: text(c.object),
    ...(c.place === undefined ? {} : { place: text(c.place) }),
    alone: c.alone,
    ...(c.direction === undefined ? {} : { direction: c.direction }),
  }
}

function differenceJson(d: PolicyDifference): Record<string, unknown> {
  return {
    from: text(d.from),
    to: text(d.to),
    ports: d.ports,
    declared: d.declared,
    ...(d.dns ? { dns: true } : {}),
    ...(d.dnsLeft === undefined ? {} : { dnsLeft: d.dnsLeft.map(text) }),
    ...(d.flows === undefined ? {} : { flows: d.flows }),
    ...(d.flowsPerMinute === undefined ? {} : { flowsPerMinute: d.flowsPerMinute }),
    because: d.because.map(causeJson),
  }
}

export function policyDiffJson(d: PolicyDiff): Record<string, unknown> {
  return {
    apiVersion: 'netwhy/v1',
    kind: 'PolicyDiff',
    before: text(d.before),
    after: text(d.after),
    totals: d.totals,
    lost: d.lost.map(differenceJson),
    gained: d.gained.map(differenceJson),
    unknown: d.unknown.map((u) => ({ ...differenceJson(u), why: u.why.map(text) })),
    workloads: { appeared: d.appeared.map(text), vanished: d.vanished.map(text) },
    changes: d.changes.map((c) => ({
      change: c.change,
      object: text(c.object),
      ...(c.place === undefined ? {} : { place: text(c.place) }),
    })),
    unjudged: d.unjudged.map(text),
    ...(d.flows
      ? {
          flows: {
            minutes: d.flows.minutes,
            matched: d.flows.matched,
            cut: d.flows.cut.map((c) => ({ ...c, from: text(c.from), to: text(c.to) })),
            notes: d.flows.notes.map(text),
          },
        }
      : {}),
    notes: d.notes.map(text),
  }
}
