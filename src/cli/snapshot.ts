import type { Command } from 'commander'

/** Declares `netwhy snapshot`. */
export function declareSnapshot(_program: Command): void {}
