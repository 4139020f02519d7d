import type { Command } from 'commander'

/** Declares `netwhy lab`. */
export function declareLab(_program: Command): void {}
