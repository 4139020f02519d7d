/** `renderPolicyAnswer`: the answer of `policy check` in each format. */
import { stringify } from 'yaml'
import type { PolicyAnswer } from '../model/policy-answer.ts'
import { policyMarkdown } from './policy-check-markdown.ts'
import { policyText } from './policy-check-text.ts'

export const POLICY_FORMATS = ['text', 'json', 'yaml', 'markdown'] as const
export type PolicyFormat = (typeof POLICY_FORMATS)[number]

/** The answer as one JSON object, as CONTRACT has it. */
export function policyJson(a: PolicyAnswer): Record<string, unknown> {
  return { apiVersion: 'netwhy/v1', kind: 'PolicyAnswer', ...a }
}

/** The answer in `format`, ending in a newline. `colour` counts for text only; `width` is in columns. */
export function renderPolicyAnswer(
  answer: PolicyAnswer,
  format: PolicyFormat,
  options: { readonly colour: boolean; readonly width?: number },
): string {
  switch (format) {
    case 'text':
      return policyText(answer, options)
    case 'json':
      return `${JSON.stringify(policyJson(answer), null, 2)}\n`
    case 'yaml':
      return stringify(policyJson(answer), { lineWidth: 0, aliasDuplicateObjects: false, version: '1.1' })
    case 'markdown':
      return policyMarkdown(answer)
  }
}
