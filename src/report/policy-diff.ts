/** `renderPolicyDiff`: a comparison of policies in each format. */
import { stringify } from 'yaml'
import type { PolicyDiff } from '../model/policy-diff.ts'
import { policyDiffJson } from './policy-diff-json.ts'
import { policyDiffMarkdown } from './policy-diff-markdown.ts'
import { policyDiffText } from './policy-diff-text.ts'

export const POLICY_DIFF_FORMATS = ['text', 'wide', 'json', 'yaml', 'markdown'] as const
export type PolicyDiffFormat = (typeof POLICY_DIFF_FORMATS)[number]

/** The comparison in `format`, ending in a newline. `colour` counts for text only; `width` is in columns. */
export function renderPolicyDiff(
  diff: PolicyDiff,
  format: PolicyDiffFormat,
  options: { readonly colour: boolean; readonly width?: number },
): string {
  switch (format) {
    case 'text':
      return policyDiffText(diff, { ...options, wide: false })
    case 'wide':
      return policyDiffText(diff, { ...options, wide: true })
    case 'json':
      return `${JSON.stringify(policyDiffJson(diff), null, 2)}\n`
    case 'yaml':
      return stringify(policyDiffJson(diff), { lineWidth: 0, aliasDuplicateObjects: false })
    case 'markdown':
      return policyDiffMarkdown(diff)
  }
}
