/** Values computed when first asked for, then kept: a netns nobody looks at costs nothing. */

export function lazy<T>(compute: () => T): () => T {
  let state: { readonly value: T } | null = null
  return () => {
    state ??= { value: compute() }
    return state.value
  }
}

/** A set over a fixed list of possible members, each of which is tested when first asked about. */
export function lazySet<T>(candidates: readonly T[], test: (member: T) => boolean): ReadonlySet<T> {
  const tested = new Map<T, boolean>()
  const has = (member: T): boolean => {
    let answer = tested.get(member)
    if (answer === undefined) {
      answer = candidates.includes(member) && test(member)
      tested.set(member, answer)
    }
    return answer
  }
  const whole = lazy(() => new Set(candidates.filter(has)))
  return {
    has,
    get size() {
      return whole().size
    },
    forEach: (visit, self) => whole().forEach(visit, self),
    entries: () => whole().entries(),
    keys: () => whole().keys(),
    values: () => whole().values(),
    [Symbol.iterator]: () => whole()[Symbol.iterator](),
  }
}
