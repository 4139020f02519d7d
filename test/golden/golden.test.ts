import { existsSync, readFileSync } from 'node:fs'
import stringWidth from 'string-width'
import { describe, expect, it } from 'vitest'
import { assemble } from '../../src/assemble/assemble.ts'
import { openSnapshot } from '../../src/collect/open.ts'
import { conclude, inquire } from '../../src/diagnose/diagnose.ts'
import { ask } from '../../src/diagnose/question/ask.ts'
import { renderAnswer } from '../../src/report/answer.ts'

/** id, from, to, protocol, accepted codes: the questions the fault score asks. */
const CASES = readFileSync(new URL('../expect.tsv', import.meta.url), 'utf8')
  .split('\n')
  .filter((l) => /^F\d/.test(l) && existsSync(recorded(l.slice(0, 4))))
  .map((l) => l.split('\t') as [string, string, string, string, string])
  .filter(([, , , , codes]) => codes !== 'reachable')

function recorded(id: string): string {
  return new URL(`./${id}.tar.gz`, import.meta.url).pathname
}

async function answerOf(id: string, from: string, to: string, protocol: string) {
  const snapshot = await openSnapshot(recorded(id))
  const { network, objects } = assemble(snapshot)
  const asked = ask(network, objects, { from, to, protocol, namespace: 'default' })
  return conclude(inquire(network, objects, asked), asked)
}

describe('golden answers', () => {
  it.each(CASES)('%s: %s to %s', async (id, from, to, protocol, codes) => {
    const answer = await answerOf(id, from, to, protocol)
    // What only packets can tell is a warning here, and the answer unknown: --prove decides.
    expect(answer.findings.map((f) => f.code).some((c) => codes.split(',').includes(c))).toBe(true)
    const text = renderAnswer(answer, 'text', { colour: false })
    for (const line of text.split('\n')) if (!/^ {9}/.test(line)) expect(stringWidth(line)).toBeLessThanOrEqual(80)
    await expect(text).toMatchFileSnapshot(`./${id}.txt`)
  })

  it('F154: a FORWARD policy of DROP with the accepts in place is no fault; the Internet is not in the evidence', async () => {
    const outside = await answerOf('F154', 'pod/default/client1', '203.0.113.10:80', 'tcp')
    expect([outside.verdict, outside.rootCause, outside.findings]).toEqual(['unknown', null, []])
    const inside = await answerOf('F154', 'pod/default/client1', 'svc/default/solo:80', 'tcp')
    expect([inside.verdict, inside.rootCause, inside.findings]).toEqual(['reachable', null, []])
  })

  // SOURCE: a recorded healthy lab whose node2 was turned by hand into an IPVS node as the kernel would list it: kube-ipvs0
  // (dummy, DOWN) with the Service addresses, their local routes, and virtual servers instead of kube-proxy's chains.
  it.each(['svc/shop/api:8080', '10.244.2.10:8080', '10.244.3.20:9090'])('F146: kube-ipvs0 being DOWN is no fault (%s)', async (to) => {
    const a = await answerOf('F146', 'pod/tools/client', to, 'tcp')
    expect([a.verdict, a.successProbability, a.rootCause, a.findings]).toEqual(['reachable', 1, null, []])
  })
})
