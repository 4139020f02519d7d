/** The kernel's Jenkins hash (include/linux/jhash.h, Linux 6.18), which NAT and nft `jhash` choose by. */

const rol = (x: number, k: number) => (x << k) | (x >>> (32 - k))
const INITVAL = 0xdeadbeef

/** Hash of 32-bit words as the CPU reads them (`jhash2`). `initval` and the result are unsigned 32-bit. */
export function jhash2(words: readonly number[], initval: number): number {
  let a = (INITVAL + words.length * 4 + initval) | 0
  let b = a
  let c = a
  let i = 0
  let left = words.length
  while (left > 3) {
    a = (a + words[i]!) | 0
    b = (b + words[i + 1]!) | 0
    c = (c + words[i + 2]!) | 0
    a = ((a - c) ^ rol(c, 4)) | 0
    c = (c + b) | 0
    b = ((b - a) ^ rol(a, 6)) | 0
    a = (a + c) | 0
    c = ((c - b) ^ rol(b, 8)) | 0
    b = (b + a) | 0
    a = ((a - c) ^ rol(c, 16)) | 0
    c = (c + b) | 0
    b = ((b - a) ^ rol(a, 19)) | 0
    a = (a + c) | 0
    c = ((c - b) ^ rol(b, 4)) | 0
    b = (b + a) | 0
    left -= 3
    i += 3
  }
  if (left === 0) return c >>> 0
  if (left > 2) c = (c + words[i + 2]!) | 0
  if (left > 1) b = (b + words[i + 1]!) | 0
  a = (a + words[i]!) | 0
  c = ((c ^ b) - rol(b, 14)) | 0
  a = ((a ^ c) - rol(c, 11)) | 0
  b = ((b ^ a) - rol(a, 25)) | 0
  c = ((c ^ b) - rol(b, 16)) | 0
  a = ((a ^ c) - rol(c, 4)) | 0
  b = ((b ^ a) - rol(a, 14)) | 0
  c = ((c ^ b) - rol(b, 24)) | 0
  return c >>> 0
}

/** `value * ceiling / 2^32`, both unsigned 32-bit (`reciprocal_scale`). */
export function reciprocalScale(value: number, ceiling: number): number {
  const high = value >>> 16
  const low = value & 0xffff
  return Math.floor((high * ceiling + Math.floor((low * ceiling) / 65536)) / 65536)
}

/** A network-order word as a little-endian CPU reads it: every platform Kubernetes runs on but s390x. */
export function swap32(x: number): number {
  return ((x << 24) | ((x & 0xff00) << 8) | ((x >>> 8) & 0xff00) | (x >>> 24)) >>> 0
}
