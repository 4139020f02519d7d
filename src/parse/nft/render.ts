/** Expressions and statements as text, for rules that come as JSON and for parts that stay opaque. */
import type { Verdict } from '../../model/ruleset.ts'
import type { Ast, StatementAst } from './syntax.ts'

const SIGNS = { and: '&', or: '|', xor: '^', shl: '<<', shr: '>>' } as const

/** An expression in nft's language; elements beyond the eighth of a set are left out. */
export function renderExpression(ast: Ast): string {
  switch (ast.kind) {
    case 'word':
      return /^[\w.:/*@-]+$/.test(ast.text) ? ast.text : JSON.stringify(ast.text)
    case 'number':
      return String(ast.value)
    case 'range':
      return `${renderExpression(ast.from)}-${renderExpression(ast.to)}`
    case 'prefix':
      return `${renderExpression(ast.addr)}/${ast.length}`
    case 'list':
      return ast.items.map(renderExpression).join(',')
    case 'concat':
      return ast.parts.map(renderExpression).join(' . ')
    case 'binary': {
      const side = (a: Ast) => (a.kind === 'binary' ? `(${renderExpression(a)})` : renderExpression(a))
      return `${side(ast.left)} ${SIGNS[ast.op]} ${side(ast.right)}`
    }
    case 'field':
      return ast.key.replace(/\./g, ' ')
    case 'numgen':
      return `numgen ${ast.mode} mod ${ast.modulus}${ast.offset ? ` offset ${ast.offset}` : ''}`
    case 'hash': {
      const what = ast.of === 'symmetric' ? 'symhash' : `jhash ${renderExpression(ast.of)}`
      const seed = ast.seed === null ? '' : ` seed ${ast.seed}`
      return `${what} mod ${ast.modulus}${seed}${ast.offset ? ` offset ${ast.offset}` : ''}`
    }
    case 'fib':
      return `fib ${ast.keys.join(' . ')} ${ast.result}`
    case 'map':
      return `${renderExpression(ast.key)} map ${renderExpression(ast.set)}`
    case 'unknown':
      return ast.text
    case 'setName':
      return `@${ast.name}`
    case 'set': {
      const shown = ast.elements.slice(0, 8).map((e) => {
        const key = e.key ? renderExpression(e.key) : '*'
        if (e.verdict) return `${key} : ${renderVerdict(e.verdict)}`
        return e.data ? `${key} : ${renderExpression(e.data)}` : key
      })
      if (ast.elements.length > 8) shown.push('…')
      return `{ ${shown.join(', ')} }`
    }
  }
}

export function renderVerdict(verdict: Verdict): string {
  return verdict.kind === 'jump' || verdict.kind === 'goto' ? `${verdict.kind} ${verdict.chain}` : verdict.kind
}

/** A statement in nft's language. */
export function renderStatement(s: StatementAst): string {
  switch (s.kind) {
    case 'match':
      return `${renderExpression(s.left)} ${s.op === 'implicit' ? '' : `${s.op} `}${renderExpression(s.right)}`
    case 'verdict':
      return renderVerdict(s.verdict)
    case 'vmap':
      return `${renderExpression(s.key)} vmap ${renderExpression(s.set)}`
    case 'mangle':
      return `${renderExpression(s.key)} set ${renderExpression(s.value)}`
    case 'nat': {
      const family = s.family ? ` ${s.family}` : ''
      const addr = s.addr ? renderExpression(s.addr) : ''
      const shown = s.port && addr.includes(':') ? `[${addr}]` : addr
      const to = s.addr || s.port ? ` to ${shown}${s.port ? `:${renderExpression(s.port)}` : ''}` : ''
      return `${s.type}${family}${s.prefix ? ' prefix' : ''}${to}${s.flags.length ? ` ${s.flags.join(',')}` : ''}`
    }
    case 'reject':
      return s.type === null ? 'reject' : `reject with ${s.type}${s.code === null ? '' : ` ${s.code}`}`
    case 'tproxy':
      return `tproxy to ${s.addr ? renderExpression(s.addr) : ''}${s.port ? `:${renderExpression(s.port)}` : ''}`
    case 'notrack':
      return 'notrack'
    case 'counter':
      return `counter packets ${s.counters.packets} bytes ${s.counters.bytes}`
    case 'comment':
      return `comment ${JSON.stringify(s.text)}`
    case 'rate':
    case 'setUpdate':
    case 'opaque':
      return s.text
    case 'note':
      return s.what
  }
}
