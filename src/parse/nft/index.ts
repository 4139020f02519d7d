/** nftables rulesets, in both spellings `nft` prints. */
export { isIptablesTable } from './iptables-table.ts'
export { parseNftJson } from './json.ts'
export { parseNftText } from './text.ts'
