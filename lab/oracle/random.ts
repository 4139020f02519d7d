/** A seeded source of choices: the same seed gives the same case, on every machine. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number
  /** Uniform integer in [0, n). */
  below(n: number): number
  /** True with probability p. */
  chance(p: number): boolean
  pick<T>(from: readonly T[]): T
  /** Picks by weight. */
  weighted<T>(from: readonly (readonly [number, T])[]): T
}

/** mulberry32 (public domain, Tommy Ettinger): 32 bits of state are plenty for a few thousand choices. */
export function random(seed: number): Random {
  let s = seed >>> 0
  const next = () => {
    s = (s + 0x6d2b79f5) >>> 0
    let t = s
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (n: number) => Math.floor(next() * n)
  return {
    next,
    below,
    chance: (p) => next() < p,
    pick: (from) => from[below(from.length)]!,
    weighted(from) {
      let at = next() * from.reduce((sum, [w]) => sum + w, 0)
      for (const [w, v] of from) {
        at -= w
        if (at < 0) return v
      }
      return from.at(-1)![1]
    },
  }
}
