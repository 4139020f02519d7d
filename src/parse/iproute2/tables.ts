/** Routing table names (/etc/iproute2/rt_tables) and protocol-independent words of iproute2. */

const NAMED: Readonly<Record<string, number>> = { unspec: 0, default: 253, main: 254, local: 255 }

/**
 * The number of a table. iproute2 prints names from the node's rt_tables file, which we do not have for tables of the
 * user's own: such a name gets a negative number made from the name, the same for routes and routing rules, so that they
 * still meet; no real table number is negative.
 */
export function tableNumber(word: string): number {
  if (/^\d+$/.test(word)) return Number(word)
  if (Object.hasOwn(NAMED, word)) return NAMED[word]!
  let hash = 0x811c9dc5
  for (let i = 0; i < word.length; i++) hash = Math.imul(hash ^ word.charCodeAt(i), 0x01000193) >>> 0
  return -1 - hash
}
