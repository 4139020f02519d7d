/** nftables rulesets, in both spellings `nft` prints. */
export { parseNftJson } from './json.ts'
export { parseNftText } from './text.ts'
