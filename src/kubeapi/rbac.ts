/** The RBAC rules that would allow what was refused. */

export interface Right {
  readonly group: string
  readonly plural: string
  readonly verb: 'list' | 'get'
  /** Only with `get`: one object of one namespace. */
  readonly namespace?: string
  readonly name?: string
}

/** In words, in one line: `list pods`, `get configmaps coredns in kube-system`, with the API group where it has one. */
export function rightInWords({ group, plural, verb, namespace, name }: Right): string {
  const full = group === '' ? plural : `${plural}.${group}`
  return `${verb} ${full}${name === undefined ? '' : ` ${name} in ${namespace}`}`
}

/** A manifest for `kubectl apply -f -` that grants the rights to the user of the kubeconfig; YAML, sorted, stable. */
export function rbacManifest(rights: readonly Right[]): string {
  const wide = rights.filter((r) => r.namespace === undefined)
  const groups = [...new Set(wide.map((r) => r.group))].sort()
  const documents: string[] = []
  if (wide.length > 0) {
    const rules = groups.map((g) =>
      ruleOf(
        g,
        'list',
        wide.filter((r) => r.group === g).map((r) => r.plural),
      ),
    )
    documents.push(`apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: netwhy-read
rules:
${rules.join('')}`)
  }
  for (const namespace of [...new Set(rights.flatMap((r) => r.namespace ?? []))].sort()) {
    const own = rights.filter((r) => r.namespace === namespace)
    const names = own.flatMap((r) => r.name ?? []).sort()
    documents.push(`apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: netwhy-read
  namespace: ${namespace}
rules:
${ruleOf(own[0]!.group, 'get', [...new Set(own.map((r) => r.plural))], names)}`)
  }
  return documents.join('---\n')
}

function ruleOf(group: string, verb: string, plurals: readonly string[], names: readonly string[] = []): string {
  const list = (items: readonly string[]) => items.map((i) => JSON.stringify(i)).join(', ')
  return `  - apiGroups: [${JSON.stringify(group)}]
    resources: [${list([...plurals].sort())}]
${names.length > 0 ? `    resourceNames: [${list(names)}]\n` : ''}    verbs: ["${verb}"]
`
}
