/** What stands behind an element on an `add` line. */
export interface ElementOptions {
  readonly nomatch: boolean
  /** hash:net,iface: the link name is a prefix. */
  readonly wildcard: boolean
  /** A word that is no known option: what the entry covers is then not known. */
  readonly unknown: string | null
}

const WITH_VALUE = new Set(['timeout', 'packets', 'bytes', 'skbmark', 'skbprio', 'skbqueue'])
const LIST_TAIL = /(?: (?:timeout|packets|bytes|skbmark|skbprio|skbqueue) \S+)+$/

/**
 * Splits `ELEMENT [timeout N] [nomatch] [wildcard] [packets N bytes N] [comment "…"] [skbmark …] …`. Entries whose timeout
 * ran out are not printed, so the timeout itself says nothing about membership. In a list:set the element is a set name,
 * which may hold blanks.
 */
export function splitOptions(
  text: string,
  isList: boolean,
): { readonly element: string; readonly options: ElementOptions } {
  // ipset refuses quotes inside a comment, so the outermost pair is it.
  const rest = text.replace(/ comment ".*"/, '')
  if (isList)
    return { element: rest.replace(LIST_TAIL, ''), options: { nomatch: false, wildcard: false, unknown: null } }
  const words = rest.split(' ')
  let nomatch = false
  let wildcard = false
  let unknown: string | null = null
  for (let i = 1; i < words.length; i++) {
    const word = words[i]!
    if (word === 'nomatch') nomatch = true
    else if (word === 'wildcard') wildcard = true
    else if (WITH_VALUE.has(word) && i + 1 < words.length) i++
    else if (word !== '' && word !== '-exist') unknown = `option ${word} is not known`
  }
  return { element: words[0]!, options: { nomatch, wildcard, unknown } }
}
