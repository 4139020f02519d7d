/**
 * YAML as kubectl reads it: sigs.k8s.io/yaml 1.4 over its goyaml.v2 (resolve.go, `resolve`), the values seen from kubectl
 * 1.32. That is YAML 1.1 with Go's idea of numbers: `yes` is true, `0644` is 420, `0o17` 15, `1_000` 1000, `1e3` 1000, but dates
 * and `1:30` stay text.
 */
import {
  defineMappingTag,
  defineScalarTag,
  defineSequenceTag,
  mapTag,
  NOT_RESOLVED,
  Schema,
  seqTag,
  YAML11_SCHEMA,
} from 'js-yaml'

const DIGITS = [...'0123456789']

/** Go's strconv.ParseInt(text, 0, 64) after underscores are taken out; the sign stands before the base. */
const INTEGER = /^([-+]?)(?:0[bB]([01]+)|0[oO]?([0-7]+)|0[xX]([0-9a-fA-F]+)|(0|[1-9][0-9]*))$/

function integerOf(source: string): number | null {
  const m = INTEGER.exec(source.includes('_') ? source.replaceAll('_', '') : source)
  if (!m) return null
  const [, sign, binary, octal, hex, decimal] = m
  const size =
    decimal !== undefined
      ? Number(decimal)
      : binary !== undefined
        ? Number.parseInt(binary, 2)
        : octal !== undefined
          ? Number.parseInt(octal, 8)
          : Number.parseInt(hex ?? '', 16)
  if (!Number.isFinite(size)) return null
  return sign === '-' && size !== 0 ? -size : size
}

/** goyaml.v2 `yamlStyleFloat`: also what failed as an integer, such as `08`. */
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/

const integerTag = defineScalarTag<number>('tag:yaml.org,2002:int', {
  implicit: true,
  implicitFirstChars: ['-', '+', ...DIGITS],
  resolve: (source) => integerOf(source) ?? NOT_RESOLVED,
  identify: () => false,
})

function floatOf(source: string): number | null {
  const plain = source.replaceAll('_', '')
  // `.inf` and `.nan` stay text: kubectl refuses them, JSON has no such number.
  const value = FLOAT.test(plain) ? Number(plain) : Number.NaN
  return Number.isFinite(value) ? value : null
}

const floatTag = defineScalarTag<number>('tag:yaml.org,2002:float', {
  implicit: true,
  implicitFirstChars: ['-', '+', '.', ...DIGITS],
  resolve: (source) => floatOf(source) ?? NOT_RESOLVED,
  identify: () => false,
})

const WORDS: ReadonlyMap<string, boolean | null> = new Map([
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'].map((t) => [t, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'].map((t) => [t, false] as const),
  ...['', '~', 'null', 'Null', 'NULL'].map((t) => [t, null] as const),
])

/** What a plain scalar is, the same as by the schema. */
export function plainValue(source: string): unknown {
  const first = source.charCodeAt(0)
  // Digits, `+`, `-` and `.` begin numbers.
  if ((first >= 48 && first <= 57) || first === 43 || first === 45 || first === 46) {
    const integer = integerOf(source)
    if (integer !== null) return integer
    const float = floatOf(source)
    return float ?? source
  }
  if (source.length > 5) return source
  const word = WORDS.get(source)
  return word === undefined ? source : word
}

const asText = (tag: string, matchByTagPrefix = false) =>
  defineScalarTag<string>(tag, { matchByTagPrefix, resolve: (source) => source, identify: () => false })

/** Tags of other programs (`!vault`, `!Ref`, `!!python/name:x`) are passed over, as goyaml does. */
const FOREIGN = ['!', 'tag:'].flatMap((tag) => [
  asText(tag, true),
  defineSequenceTag<unknown[]>(tag, { ...seqTag, matchByTagPrefix: true }),
  defineMappingTag<Record<string, unknown>>(tag, { ...mapTag, matchByTagPrefix: true }),
])

const PREFIX = 'tag:yaml.org,2002:'
const REPLACED = new Set(['int', 'float', 'timestamp', 'binary', 'omap', 'pairs', 'set'].map((t) => PREFIX + t))

/** Built once: js-yaml compiles a schema when it is made. */
export const KUBECTL_SCHEMA = new Schema([
  ...YAML11_SCHEMA.tags.filter((t) => !REPLACED.has(t.tagName)),
  integerTag,
  floatTag,
  asText(`${PREFIX}timestamp`),
  asText(`${PREFIX}binary`),
  ...FOREIGN,
])
