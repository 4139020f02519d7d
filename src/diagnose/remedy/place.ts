import type { Finding, RemedyPlace } from '../../model/finding.ts'

/** Where the commands of a finding are run when its check did not say: with kubectl, in the pod it names, else on its node. */
function placeOf(where: Finding['where'], commands: readonly string[]): RemedyPlace | null {
  if (commands.every((c) => /^kubectl\s/.test(c))) return { kubectl: true }
  if (where.node === undefined) return null
  const pod = where.netns?.startsWith('pod/') ? where.netns.slice(4) : undefined
  return { node: where.node, ...(pod === undefined ? {} : { pod }) }
}

/** The finding with the place of its remedy's commands filled in. */
export function placed(finding: Finding): Finding {
  const { remedy, where } = finding
  if (!remedy?.commands || remedy.commands.length === 0 || remedy.on) return finding
  const on = placeOf(where, remedy.commands)
  return on ? { ...finding, remedy: { ...remedy, on } } : finding
}
