/** CNI configuration of a node: `*.conflist` and single-plugin `*.conf` (CNI spec 1.1 section 1, libcni conf.go). */
import { parseIp, parsePrefix } from '../../base/ip.ts'
import type { Parsed } from '../../model/evidence.ts'
import type { CniConfig, CniPlugin } from '../../model/node-files.ts'
import { isRow, issueList, listOf, numberOf, type Origin, type Row, textOf, textsOf } from '../rows.ts'

/** Null when the text is not a CNI configuration; the issue says why. */
export function parseCniConfig(text: string, origin: Origin): Parsed<CniConfig | null> {
  const found = issueList(origin)
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (e) {
    found.add(undefined, `CNI configuration is not JSON: ${e instanceof Error ? e.message : ''}`)
    return { value: null, issues: found.issues }
  }
  const plugins = isRow(json) ? (Array.isArray(json.plugins) ? json.plugins : [json]).filter(isRow) : []
  if (!isRow(json) || plugins.length === 0 || plugins.some((p) => textOf(p.type) === undefined)) {
    found.add(undefined, 'CNI configuration without a plugin type')
    return { value: null, issues: found.issues }
  }
  const misnamed = formTrouble(json, origin.artefact)
  if (misnamed !== null) {
    found.add(undefined, misnamed)
    return { value: null, issues: found.issues }
  }
  return {
    value: {
      name: textOf(json.name) ?? '',
      cniVersion: textOf(json.cniVersion) ?? '',
      plugins: plugins.map((p) => readPlugin(p)),
    },
    issues: found.issues,
  }
}

/** The runtime reads by the file's name: a list from `.conflist`, one plugin from `.conf` and `.json` (libcni conf.go, go-cni opts.go). */
function formTrouble(json: Row, artefact: string): string | null {
  if (artefact.endsWith('.conflist')) {
    if (!Array.isArray(json.plugins)) return 'a .conflist without a list of plugins'
    return textOf(json.name) === undefined ? 'CNI configuration without a name' : null
  }
  if (/\.(conf|json)$/.test(artefact) && textOf(json.type) === undefined)
    return 'a list of plugins in a file that is not named .conflist'
  return null
}

function readPlugin(p: Row): CniPlugin {
  const ipam = isRow(p.ipam) ? p.ipam : {}
  const ranges = listOf(ipam.ranges).flatMap(listOf).filter(isRow)
  const prefixes = [ipam.subnet, ...ranges.map((r) => r.subnet)].map((s) => parsePrefix(textOf(s) ?? ''))
  const gateways = [ipam.gateway, ...ranges.map((r) => r.gateway)].map((g) => parseIp(textOf(g) ?? ''))
  const link = textOf(p.bridge) ?? textOf(p.master)
  const mtu = numberOf(p.mtu)
  const ipamType = textOf(ipam.type)
  return {
    type: textOf(p.type) ?? '',
    ...(link === undefined ? {} : { link }),
    ...(mtu === undefined ? {} : { mtu }),
    ...(typeof p.hairpinMode === 'boolean' ? { hairpinMode: p.hairpinMode } : {}),
    ...(typeof p.ipMasq === 'boolean' ? { ipMasq: p.ipMasq } : {}),
    ...(ipamType === undefined ? {} : { ipamType }),
    subnets: prefixes.filter((s) => s !== null),
    gateways: gateways.filter((g) => g !== null),
    capabilities: isRow(p.capabilities)
      ? Object.entries(p.capabilities)
          .filter(([, on]) => on === true)
          .map(([name]) => name)
      : textsOf(p.capabilities),
    ...(isRow(p.delegate) ? { delegate: readPlugin({ type: 'bridge', ...p.delegate }) } : {}),
  }
}
