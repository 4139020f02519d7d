/** Kubernetes objects for redaction: the names they tell, and the free text that is left out because nobody can vouch for it. */

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
type JsonObject = { [key: string]: Json }

const isObject = (v: Json | undefined): v is JsonObject => typeof v === 'object' && v !== null && !Array.isArray(v)
const object = (v: Json | undefined): JsonObject => (isObject(v) ? v : {})
const list = (v: Json | undefined): Json[] => (Array.isArray(v) ? v : [])

/** The objects of a document, lists opened. */
export function objectsOf(document: unknown): JsonObject[] {
  const v = document as Json
  if (Array.isArray(v)) return v.flatMap(objectsOf)
  if (!isObject(v)) return []
  return Array.isArray(v.items) ? v.items.flatMap(objectsOf) : [v]
}

const KINDS: Readonly<Record<string, string>> = { Namespace: 'ns', Node: 'node', Pod: 'pod', Service: 'svc' }
/** Label keys whose values are names that people chose. */
const NAMING_LABEL = /^([^/]+|app\.kubernetes\.io\/(name|instance|part-of|component)|kubernetes\.io\/hostname)$/
/** Annotations that carry network facts; all others are left out. */
const NETWORK_ANNOTATION =
  /^(flannel\.alpha\.coreos\.com\/|projectcalico\.org\/|cni\.projectcalico\.org\/|kubernetes\.io\/(config\.|ingress-bandwidth|egress-bandwidth)|service\.kubernetes\.io\/|k8s\.v1\.cni\.cncf\.io\/|io\.cilium)/
/** ConfigMaps that netwhy reads; the data of all others are left out. */
const SYSTEM_CONFIG =
  /^(kube-proxy|coredns|kube-flannel-cfg|kubeadm-config|calico-config|cilium-config|nodelocaldns|node-local-dns)$/

/** Adds the names that an object tells to `names`, by kind of pseudonym. */
export function namesIn(o: JsonObject, add: (kind: string, name: Json | undefined) => void): void {
  const meta = object(o.metadata)
  const spec = object(o.spec)
  add(KINDS[String(o.kind)] ?? 'object', meta.name)
  add('object', meta.generateName)
  add('ns', meta.namespace)
  add('node', spec.nodeName)
  add('node', o.nodeName)
  add('host', spec.externalName)
  for (const owner of list(meta.ownerReferences)) add('object', object(owner).name)
  for (const e of list(o.endpoints)) add('node', object(e).nodeName)
  for (const rule of list(spec.rules)) add('host', object(rule).host)
  for (const container of [...list(spec.containers), ...list(spec.initContainers)])
    add('container', object(container).name)
  for (const address of list(object(o.status).addresses))
    add('node', /DNS|Hostname/.test(String(object(address).type)) ? object(address).address : undefined)
  for (const labels of [meta.labels, spec.selector, object(object(spec.selector).matchLabels)])
    for (const [key, value] of Object.entries(object(labels))) if (NAMING_LABEL.test(key)) add('label', value)
}

/** The document without free text: environments, commands, images, unknown annotations and configuration. */
export function withoutFreeText(document: unknown): Json {
  const v = document as Json
  if (Array.isArray(v)) return v.map(withoutFreeText)
  if (!isObject(v)) return v
  if (Array.isArray(v.items)) return { ...v, items: v.items.map(withoutFreeText) }
  const meta = object(v.metadata)
  const annotations = Object.entries(object(meta.annotations)).filter(([key]) => NETWORK_ANNOTATION.test(key))
  const { managedFields: _, ...keptMeta } = meta
  const out: JsonObject = { ...v, metadata: { ...keptMeta, annotations: Object.fromEntries(annotations) } }
  if (v.kind === 'ConfigMap' && !SYSTEM_CONFIG.test(String(meta.name))) {
    delete out.data
    delete out.binaryData
  }
  return bare(out) as Json
}

const FREE_TEXT = new Set(['env', 'envFrom', 'command', 'args', 'image', 'imageID', 'imagePullSecrets', 'images'])

function bare(v: Json): Json {
  if (Array.isArray(v)) return v.map(bare)
  if (!isObject(v)) return v
  return Object.fromEntries(
    Object.entries(v).map(([key, value]) => [key, FREE_TEXT.has(key) ? (Array.isArray(value) ? [] : '') : bare(value)]),
  )
}
