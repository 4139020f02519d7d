/** Sets of small numbers as bits: which faces a peer finds. */

export type Bits = Uint32Array

/** An empty set for numbers below `size`. */
export function noBits(size: number): Bits {
  return new Uint32Array((size + 31) >>> 5)
}

/** The set of all numbers below `size`. */
export function everyBit(size: number): Bits {
  const out = noBits(size).fill(0xffffffff)
  const rest = size & 31
  if (rest !== 0) out[out.length - 1] = 2 ** rest - 1
  return out
}

export function setBit(bits: Bits, i: number): void {
  bits[i >>> 5] = bits[i >>> 5]! | (1 << (i & 31))
}

export function clearBit(bits: Bits, i: number): void {
  bits[i >>> 5] = bits[i >>> 5]! & ~(1 << (i & 31))
}

export function hasBit(bits: Bits, i: number): boolean {
  return ((bits[i >>> 5]! >>> (i & 31)) & 1) === 1
}

/** Removes from `into` what is not in `other`. */
export function keepBits(into: Bits, other: Bits): void {
  for (let w = 0; w < into.length; w++) into[w] = into[w]! & other[w]!
}

/** Adds what is in `other`. */
export function addBits(into: Bits, other: Bits): void {
  for (let w = 0; w < into.length; w++) into[w] = into[w]! | other[w]!
}

/** What is not in `bits`, of the numbers below `size`. */
export function otherBits(bits: Bits, size: number): Bits {
  const out = everyBit(size)
  for (let w = 0; w < out.length; w++) out[w] = out[w]! & ~bits[w]!
  return out
}

/** Calls `visit` with every number of the set, upwards. */
export function eachBit(bits: Bits, visit: (i: number) => void): void {
  for (let w = 0; w < bits.length; w++) {
    let word = bits[w]!
    while (word !== 0) {
      const low = word & -word
      visit(w * 32 + 31 - Math.clz32(low))
      word ^= low
    }
  }
}
