/** `renderWalk`: a checklist in each format. */
import { stringify } from 'yaml'
import type { Walk } from '../model/walk.ts'
import { walkJson } from './walk-json.ts'
import { walkMarkdown } from './walk-markdown.ts'
import { walkText } from './walk-text.ts'

export const WALK_FORMATS = ['text', 'wide', 'json', 'yaml', 'markdown'] as const
export type WalkFormat = (typeof WALK_FORMATS)[number]

/** The checklist in `format`, ending in a newline. `colour` counts for text only; `width` is in columns. */
export function renderWalk(
  walk: Walk,
  format: WalkFormat,
  options: { readonly colour: boolean; readonly width?: number },
): string {
  switch (format) {
    case 'text':
      return walkText(walk, { ...options, wide: false })
    case 'wide':
      return walkText(walk, { ...options, wide: true })
    case 'json':
      return `${JSON.stringify(walkJson(walk), null, 2)}\n`
    case 'yaml':
      return stringify(walkJson(walk), { lineWidth: 0, aliasDuplicateObjects: false })
    case 'markdown':
      return walkMarkdown(walk)
  }
}
