/** The `create` line: type, family and the options that change what elements cover. */
import type { SetShape } from './element.ts'

const DIMENSIONS = new Set(['ip', 'net', 'port', 'mac', 'mark', 'iface', 'set'])
/** Options with a value that have no bearing on what matches. */
const SIZES = new Set(['hashsize', 'maxelem', 'bucketsize', 'initval', 'timeout', 'size', 'probes', 'resize', 'range'])
const FLAGS = new Set(['counters', 'comment', 'skbinfo', 'forceadd', '-exist'])

/**
 * Name and shape of `create NAME TYPE OPTIONS`, or null. A name may hold blanks and even a type's name: the last word that
 * looks like a type is the type, because no option looks like one.
 */
export function parseCreate(row: string): { readonly name: string; readonly shape: SetShape } | null {
  const m = /^create (.+) ((?:hash|bitmap|list):[a-z,]+)((?: .*)?)$/.exec(row)
  if (!m) return null
  const type = m[2]!
  const dimensions = type.slice(type.indexOf(':') + 1).split(',')
  let odd = dimensions.every((d) => DIMENSIONS.has(d)) ? null : `set type ${type} is not known`
  let family: 4 | 6 = 4
  let netmask: number | null = null
  const words = m[3]!.split(' ').filter((w) => w !== '')
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (FLAGS.has(word)) continue
    const value = words[++i] ?? ''
    if (SIZES.has(word)) continue
    if (word === 'family' && (value === 'inet' || value === 'inet6')) family = value === 'inet6' ? 6 : 4
    else if (word === 'netmask' && /^\d{1,3}$/.test(value)) netmask = Number(value)
    else if (word === 'markmask' && Number(value) === 0xffffffff) continue
    else odd ??= `option ${word} ${value} of the set is not modelled`
  }
  if (netmask !== null) {
    if (netmask > (family === 4 ? 32 : 128)) odd ??= `netmask ${netmask} is too long`
    else if (dimensions.includes('net')) odd ??= 'option netmask of a set of networks is not modelled'
  }
  return { name: m[1]!, shape: { type, dimensions, family, netmask, odd } }
}
