/** `renderAnswer`: the one door of this folder. */
import { stringify } from 'yaml'
import type { Answer } from '../model/finding.ts'
import { answerHtml } from './answer-html.ts'
import { answerJson } from './answer-json.ts'
import { answerMarkdown } from './answer-markdown.ts'
import { answerText } from './answer-text.ts'

export const ANSWER_FORMATS = ['text', 'wide', 'json', 'yaml', 'markdown', 'html'] as const
export type AnswerFormat = (typeof ANSWER_FORMATS)[number]

/** The answer in `format`, ending in a newline. `colour` counts for text only; `width` is in columns. */
export function renderAnswer(
  answer: Answer,
  format: AnswerFormat,
  options: { readonly colour: boolean; readonly width?: number },
): string {
  switch (format) {
    case 'text':
      return answerText(answer, { ...options, wide: false })
    case 'wide':
      return answerText(answer, { ...options, wide: true })
    case 'json':
      return `${JSON.stringify(answerJson(answer), null, 2)}\n`
    case 'yaml':
      return stringify(answerJson(answer), { lineWidth: 0, aliasDuplicateObjects: false })
    case 'html':
      return answerHtml(answer)
    case 'markdown':
      return answerMarkdown(answer)
  }
}
