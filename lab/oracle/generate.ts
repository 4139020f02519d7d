import type { OracleCase, RulesetPieces } from './case.ts'
import { randomIpsets, randomIptables } from './generate-iptables.ts'
import { randomNft } from './generate-nft.ts'
import { randomProbe } from './probes.ts'
import { random } from './random.ts'

/** The case of a seed: one or two rulesets of mixed back ends, one family, up to four probes. */
export function generateCase(seed: number): OracleCase {
  const rand = random(seed)
  const family = rand.chance(0.65) ? 4 : 6
  const probes = Array.from({ length: 4 }, () => randomProbe(rand, family))
  const mix = rand.weighted([
    [30, ['iptables-nft']],
    [20, ['iptables-legacy']],
    [30, ['nft']],
    [10, ['iptables-nft', 'nft']],
    [5, ['iptables-legacy', 'nft']],
    [5, ['iptables-legacy', 'iptables-nft']],
  ] as const)
  const rulesets: RulesetPieces[] = mix.map((backend, i) =>
    backend === 'nft' ? randomNft(rand, probes, family, `t${i}`) : randomIptables(rand, probes, family, backend),
  )
  const uses = JSON.stringify(rulesets).includes('--match-set')
  return { seed, family, ipsets: uses ? randomIpsets(rand, probes, family) : [], rulesets, probes }
}
