/** Whether a parsed document is a bomb: js-yaml shares what an alias names, so a small text can be a vast or endless tree. */

/** Most values a document may hold once its aliases are written out. go-yaml refuses by a ratio; this is far above any manifest. */
const MAX_VALUES = 500_000

/** A sentence about what is wrong, or null. Costs the document's size as written, not as written out. */
export function refuseBomb(root: unknown): string | null {
  const sizes = new Map<object, number>()
  const open = new Set<object>()
  let endless = false
  const sizeOf = (value: unknown): number => {
    if (typeof value !== 'object' || value === null) return 1
    const known = sizes.get(value)
    if (known !== undefined) return known
    if (open.has(value)) {
      endless = true
      return 1
    }
    open.add(value)
    let size = 1
    for (const item of Array.isArray(value) ? value : Object.values(value)) size += sizeOf(item)
    open.delete(value)
    sizes.set(value, size)
    return size
  }
  const size = sizeOf(root)
  if (endless) return 'an alias stands inside what it names'
  return size > MAX_VALUES ? 'aliases make the document larger than any manifest' : null
}
