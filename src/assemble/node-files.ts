/** `nodes/NODE/node/…` of a snapshot → files and logs of the machine, each read when first looked at. */
import type { Evidence, Issue } from '../model/evidence.ts'
import type { CniConfigFile, NodeFiles, PodLog } from '../model/node-files.ts'
import { parseCniConfig } from '../parse/cni/conflist.ts'
import { parseEthtool } from '../parse/nodefiles/ethtool.ts'
import { parseFlannelSubnet } from '../parse/nodefiles/flannel.ts'
import { parseKubelet } from '../parse/nodefiles/kubelet.ts'
import { parseIpamListing, parseListing } from '../parse/nodefiles/listing.ts'
import {
  parseCniPlaces,
  parseDaemons,
  parseModules,
  parseSettings,
  parseThrottling,
  parseUnits,
} from '../parse/nodefiles/machine.ts'
import { parseResolvConf } from '../parse/resolvconf/resolvconf.ts'
import { evidenceOf, type Origin, readLines } from '../parse/rows.ts'
import type { Artefacts } from './artefacts.ts'
import { lazy } from './lazy.ts'

/** A log longer than collect.sh keeps comes from elsewhere; its last lines count. */
const LOG_LINES = 1000

/** Undefined when nothing of the machine beside its kernel was collected. `paths` lists the files below `nodes/NODE/node/`. */
export function nodeFilesOf(
  node: string,
  paths: readonly string[],
  artefacts: Artefacts,
  issues: Issue[],
): NodeFiles | undefined {
  const home = `nodes/${node}/node/`
  const names = paths.map((p) => p.slice(home.length))
  const asked = (name: string) => artefacts.mentioned(home + name)
  const telling = (n: string) => !/^(kernel-release|iptables-version|pods)\.(txt|tsv)$|\.stderr$/.test(n)
  if (!names.some(telling) && !asked('cni/net.d.txt') && !asked('cni/bin.txt')) return undefined

  const file = (name: string) => artefacts.read(home + name)
  /** Parses a file that was read; one cut short counts where every line stands for itself. */
  const from = <T>(name: string, parse: (text: string, origin: Origin) => T): (() => T | undefined) =>
    lazy(() => {
      const read = file(name)
      return read.text === '' && read.trouble !== null ? undefined : parse(read.text, read.origin)
    })
  const listing = (name: string, path: string) =>
    lazy(() => {
      if (!asked(name)) return undefined
      const read = file(name)
      return parseListing(read.text, read.origin, path, read.trouble)
    })

  const configs = lazy((): CniConfigFile[] | undefined => {
    const own = names.filter((n) => /^cni\/net\.d\/[^/]+\.(conf|conflist|json)$/.test(n)).sort()
    // The index tells of each file that was kept; of none, only the listing can say that there is none.
    if (own.length === 0 && directory()?.entries.some((e) => /\.(conf|conflist|json)$/.test(e.name)) !== false)
      return undefined
    return own.map((n) => {
      const read = file(n)
      const parsed = parseCniConfig(read.text, read.origin)
      issues.push(...parsed.issues)
      const first = readLines(read.text)[0] ?? { line: 1, text: '(empty)' }
      const broken = read.trouble ?? parsed.issues[0]?.message
      return {
        name: n.slice('cni/net.d/'.length),
        config: read.trouble === null ? parsed.value : null,
        ...(parsed.value && read.trouble === null ? {} : { broken: broken ?? 'not understood' }),
        evidence: evidenceOf(read.origin, first),
      }
    })
  })
  const directory = listing('cni/net.d.txt', '/etc/cni/net.d')
  const binaries = listing('cni/bin.txt', '/opt/cni/bin')
  const places = from('runtime-cni-settings.txt', parseCniPlaces)
  const ipam = from('cni/networks.txt', parseIpamListing)
  const flannel = from('cni/flannel-subnet.env', parseFlannelSubnet)
  const daemons = from('daemons.txt', parseDaemons)
  const kubelet = lazy(() => {
    const yaml = file('kubelet/config.yaml')
    const env = file('kubelet/kubeadm-flags.env')
    const running = daemons()?.filter((d) => /(^|\/)kubelet$/.test(d.words[0] ?? '')) ?? []
    return parseKubelet(yaml.text === '' ? null : yaml, [
      ...readLines(env.text).map((l) => ({ text: l.value, evidence: evidenceOf(env.origin, l) })),
      ...running.map((d) => ({ text: d.words.join(' '), evidence: d.evidence })),
    ])
  })
  const services = from('services.txt', parseUnits)
  const resolved = from('systemd-resolve-resolv.conf', (text, origin) => parseResolvConf(text, origin).value)
  const throttling = from('cgroup-cpu.txt', parseThrottling)
  const ethtool = from('ethtool.txt', parseEthtool)
  const linkSettings = from('link-settings.txt', parseSettings)
  const sysctlSettings = from('sysctl.d.txt', parseSettings)
  const modules = from('modules.txt', parseModules)
  const lastLines = (text: string, origin: Origin): Evidence[] =>
    readLines(text)
      .slice(-LOG_LINES)
      .map((l) => evidenceOf(origin, l))
  const kubeletLog = from('kubelet-log.txt', (text, origin) =>
    lastLines(text, origin).filter((e) => !/^-- /.test(e.text)),
  )
  const machineId = from('machine-id', (text, origin) => lastLines(text, origin)[0])
  const logs = lazy((): PodLog[] =>
    names.flatMap((n) => {
      const m = /^logs\/([^/_]+)_([^/_]+)_([^/_]+)\.txt$/.exec(n)
      if (!m) return []
      const read = lazy(() => lastLines(file(n).text, file(n).origin))
      return [
        {
          namespace: m[1]!,
          pod: m[2]!,
          container: m[3]!,
          get lines() {
            return read()
          },
        },
      ]
    }),
  )
  return {
    get cniConfigs() {
      return configs()
    },
    get cniConfigDirectory() {
      return directory()
    },
    get cniBinaries() {
      return binaries()
    },
    get cniPlaces() {
      return places()
    },
    get ipamNetworks() {
      return ipam()
    },
    get flannelSubnet() {
      return flannel()
    },
    get kubelet() {
      return kubelet()
    },
    get services() {
      return services()
    },
    get daemons() {
      return daemons()
    },
    get resolvedResolvConf() {
      return resolved()
    },
    get throttling() {
      return throttling()
    },
    get ethtool() {
      return ethtool()
    },
    get linkSettings() {
      return linkSettings()
    },
    get sysctlSettings() {
      return sysctlSettings()
    },
    get logs() {
      return logs()
    },
    get kubeletLog() {
      return kubeletLog()
    },
    get modules() {
      return modules()
    },
    get machineId() {
      return machineId()
    },
  }
}
