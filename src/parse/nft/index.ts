/** nftables rulesets, in both spellings `nft` prints. */
export { parseNftText } from './text.ts'
