/** `node-not-ready`: for another reason than the network plugin, which has codes of its own. */
import type { ClusterCheck } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { conditionProof, readyOf, told } from '../../setup/proof.ts'
import { lacksPlugin } from '../../setup/state.ts'

export const nodeNotReady: ClusterCheck = {
  name: 'node-not-ready',
  find: ({ objects, network }) =>
    objects.nodes.flatMap((node) => {
      const ready = readyOf(node)
      if (!ready || ready.status === 'True' || node.meta.deletionTimestamp !== undefined) return []
      const name = node.meta.name
      const files = network.nodes.get(name)?.files
      // A runtime that calls its configuration unusable although it is there has another fault than a missing file.
      if (lacksPlugin(node) && !files?.cniConfigs?.[0]?.config) return []
      const silent = ready.status === 'Unknown'
      const kubelet = files?.services?.find((s) => s.name === 'kubelet')
      const runs = files?.daemons?.find((d) => /(^|\/)kubelet$/.test(d.words[0] ?? ''))
      const dead = files?.daemons !== undefined && runs === undefined && kubelet?.activeState !== 'active'
      const other = node.conditions.filter((c) => c.status === 'True' && /Pressure$|^NetworkUnavailable$/.test(c.type))
      return [
        clusterFinding('node-not-ready', {
          severity: 'error',
          title: silent ? `${name} is NotReady: its kubelet has stopped reporting` : `${name} is NotReady`,
          text: silent
            ? `The API server has heard nothing from ${name} for a while. ${
                dead
                  ? 'No kubelet runs there.'
                  : runs
                    ? 'A kubelet runs there, so it does not reach the API server.'
                    : 'The machine is down, its kubelet has stopped, or it does not reach the API server.'
              } Its pods are taken out of Services.`
            : `kubelet says: ${told(ready.message ?? ready.reason ?? 'no reason')}. Its pods are taken out of Services.`,
          where: { node: name, object: `Node ${name}` },
          concerns: [{ kind: 'node', node: name }],
          evidence: [
            conditionProof(node, ready),
            ...other.map((c) => conditionProof(node, c)),
            kubelet?.evidence,
            runs?.evidence,
            ...(files?.kubeletLog ?? []).filter((l) => /\bE\d{4} |error/i.test(l.text)).slice(-2),
          ],
          remedy: {
            text: silent
              ? `Look at the machine ${name}: is it up, does kubelet run, does it reach the API server?`
              : 'Mend what the message says.',
            commands: silent ? ['systemctl status kubelet', 'journalctl -u kubelet -n 50'] : [],
          },
        }),
      ]
    }),
}
