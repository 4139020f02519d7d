/**
 * The Corefile of CoreDNS, as far as diagnosis needs it: server blocks, their plugins and where `forward` sends.
 * Syntax: Caddyfile v1 (coredns.io manual, "Configuration"): tokens by line, blocks in braces, `#` comments, quotes.
 * `import` is not followed: a block with one is marked, for plugins may be missing from it.
 */

export interface Corefile {
  readonly servers: readonly CorefileServer[]
  /** False: it has a part that was not read (import, braces that do not match). */
  readonly whole: boolean
}

export interface CorefileServer {
  /** Zones as written: `.:53`, `cluster.local`. */
  readonly keys: readonly string[]
  readonly plugins: readonly CorefilePlugin[]
}

export interface CorefilePlugin {
  readonly name: string
  readonly args: readonly string[]
  /** 1-based line in the Corefile. */
  readonly line: number
  readonly text: string
}

/** `forward FROM TO…`: a TO is an address, `tls://address`, or a file of the form of resolv.conf. */
export interface Forward {
  readonly zone: string
  readonly to: readonly string[]
  readonly line: number
  readonly text: string
}

/** Lines beyond this are no Corefile anybody wrote. */
const MOST_LINES = 5000

export function readCorefile(text: string): Corefile {
  const servers: CorefileServer[] = []
  let current: { keys: string[]; plugins: CorefilePlugin[] } | null = null
  let keys: string[] = []
  let depth = 0
  let whole = true
  const lines = text.split('\n')
  if (lines.length > MOST_LINES) whole = false
  for (const [i, raw] of lines.slice(0, MOST_LINES).entries()) {
    const words = wordsOf(raw)
    if (words[0] === 'import') whole = false
    const opens = words.at(-1) === '{'
    const body = opens ? words.slice(0, -1) : words
    if (body[0] === '}') {
      depth--
      if (depth < 0) return { servers, whole: false }
      if (depth === 0) current = null
      continue
    }
    if (depth === 0) {
      keys = [...keys, ...body.map((w) => w.replace(/,$/, '')).filter((w) => w !== '')]
      if (opens) {
        current = { keys, plugins: [] }
        if (!/^\(.*\)$/.test(keys[0] ?? '')) servers.push(current)
        keys = []
      }
    } else if (depth === 1 && current && body[0] !== undefined)
      current.plugins.push({ name: body[0], args: body.slice(1), line: i + 1, text: raw.trim() })
    if (opens) depth++
  }
  return { servers, whole: whole && depth === 0 }
}

/** Blanks separate words, double quotes keep them together, `#` starts a comment at the start of a word. */
function wordsOf(line: string): string[] {
  const out: string[] = []
  for (const m of line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)) {
    if (m[2]?.startsWith('#')) break
    out.push(m[1] ?? m[2] ?? '')
  }
  return out
}

/** All `forward` (and the older `proxy`) lines of the Corefile. */
export function forwardsOf(corefile: Corefile): Forward[] {
  return corefile.servers.flatMap((s) =>
    s.plugins
      .filter((p) => (p.name === 'forward' || p.name === 'proxy') && p.args.length >= 2)
      .map((p) => ({ zone: p.args[0] ?? '.', to: p.args.slice(1), line: p.line, text: p.text })),
  )
}
