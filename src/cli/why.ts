import type { Command } from 'commander'

/** Declares `netwhy why`. */
export function declareWhy(_program: Command): void {}
