import type { Command } from 'commander'

/** Declares `netwhy rules`. */
export function declareRules(_program: Command): void {}
