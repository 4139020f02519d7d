export { evaluateRuleset, type Outcome, type Query } from './evaluate.ts'
export { runHook } from './hook.ts'
