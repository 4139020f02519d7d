/** Addresses as numbers, for the second opinion on policies; apart from src/base so that it shares nothing with what it judges. */

export interface Address {
  readonly family: 4 | 6
  readonly value: bigint
}

/** The address a text stands for. Throws for what is none: the generator writes no nonsense. */
export function address(text: string): Address {
  if (!text.includes(':')) {
    const value = text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n)
    return { family: 4, value }
  }
  const [head = '', tail] = text.split('::')
  const words = (part: string) => (part === '' ? [] : part.split(':'))
  const front = words(head)
  const back = tail === undefined ? [] : words(tail)
  const zeros = Array.from({ length: 8 - front.length - back.length }, () => '0')
  const value = [...front, ...zeros, ...back].reduce((sum, word) => sum * 65536n + BigInt(`0x${word}`), 0n)
  return { family: 6, value }
}

/** Whether the block, `ADDRESS/LENGTH`, holds the address. Bits of the block beyond its length mean nothing. */
export function holds(block: string, a: Address): boolean {
  const [base = '', length = ''] = block.split('/')
  const b = address(base)
  if (b.family !== a.family) return false
  const free = BigInt((a.family === 4 ? 32 : 128) - Number(length))
  return b.value >> free === a.value >> free
}

/** First and last address of a block, and their neighbours outside: where an answer may change. */
export function edges(block: string): Address[] {
  const [base = '', length = ''] = block.split('/')
  const { family, value } = address(base)
  const bits = family === 4 ? 32 : 128
  const size = 1n << BigInt(bits - Number(length))
  const first = (value / size) * size
  const top = (1n << BigInt(bits)) - 1n
  return [first - 1n, first, first + size - 1n, first + size]
    .filter((v) => v >= 0n && v <= top)
    .map((v) => ({ family, value: v }))
}
