/** Why the runtime could not create a pod's network, read from its error text. */

export type SandboxCause =
  | { readonly kind: 'plugin-missing'; readonly plugin: string; readonly path: string }
  | { readonly kind: 'bridge-address'; readonly bridge: string; readonly wanted: string }
  | { readonly kind: 'addresses-exhausted' }
  | { readonly kind: 'no-config' }
  | { readonly kind: 'no-subnet-file' }
  | { readonly kind: 'agent-absent'; readonly what: string }
  | { readonly kind: 'unauthorized' }
  | { readonly kind: 'api-unreachable'; readonly how: string }
  | { readonly kind: 'other' }

/** The words are those of libcni (pkg/invoke), the plugins, their IPAMs and agents; the first pattern that fits decides. */
export function sandboxCause(message: string): SandboxCause {
  const missing = /failed to find plugin "([^"]{1,80})" in path \[([^\]]{0,200})\]/.exec(message)
  if (missing) return { kind: 'plugin-missing', plugin: missing[1]!, path: missing[2]! }
  const bridge = /"([^"\s]{1,15})" already has an IP address different from (\S+)/.exec(message)
  if (bridge) return { kind: 'bridge-address', bridge: bridge[1]!, wanted: bridge[2]! }
  if (EXHAUSTED.test(message)) return { kind: 'addresses-exhausted' }
  if (
    /no networks? found in|no network config found|cni (plugin|config) (not initialized|uninitialized)|NetworkPluginNotReady/i.test(
      message,
    )
  )
    return { kind: 'no-config' }
  if (/\/run\/flannel\/subnet\.env: no such file/.test(message)) return { kind: 'no-subnet-file' }
  if (/\/var\/lib\/calico\/nodename: no such file/.test(message)) return { kind: 'agent-absent', what: 'calico-node' }
  if (/cilium\.sock|unable to (connect to|create) Cilium/i.test(message))
    return { kind: 'agent-absent', what: 'cilium' }
  if (/127\.0\.0\.1:50051|127\.0\.0\.1:6784|multus\.sock|antrea\/cni\.sock|kube-ovn-daemon\.sock/.test(message))
    return { kind: 'agent-absent', what: 'the network agent' }
  if (/unauthorized|forbidden|x509:/i.test(message)) return { kind: 'unauthorized' }
  const dial =
    /dial tcp (\S{3,60}?):? (?:connect: )?(i\/o timeout|connection refused|no route to host|network is unreachable)/.exec(
      message,
    )
  if (dial) return { kind: 'api-unreachable', how: `${dial[1]!.replace(/:$/, '')}: ${dial[2]}` }
  return { kind: 'other' }
}

/** host-local, AWS VPC CNI, Calico, Cilium, whereabouts, Azure and GKE when they have no address left. */
const EXHAUSTED =
  /no IP addresses available in (range|network)|failed to assign an IP address to container|no free IP available|range is full|No more IPs available|No more free affine blocks|InsufficientFreeAddresses|InsufficientCidrBlocks|IP_SPACE_EXHAUSTED|(could not|failed to) allocate (an )?IP.*(exhausted|full)|pool (is )?exhausted|No available addresses|unable to allocate.*no (more )?(free )?address/i

/** Logs of an IPAM that say so. */
export function saysExhausted(line: string): boolean {
  return EXHAUSTED.test(line)
}
