import { describe, expect, it } from 'vitest'
import { assemble } from '../../src/assemble/assemble.ts'
import { openSnapshot } from '../../src/collect/open.ts'
import { conclude, inquire } from '../../src/diagnose/diagnose.ts'
import { ask } from '../../src/diagnose/question/ask.ts'
import { renderAnswer } from '../../src/report/answer.ts'

const CASES = [
  ['F024', 'a route is missing', 'pod/default/client1', '10.244.2.20:8080', 'tcp'],
  ['F021', 'bridge-nf-call-iptables is 0', 'pod/default/client1', 'svc/kube-system/kube-dns:53', 'udp'],
  ['F066', 'a selector is too broad', 'pod/default/client1', 'svc/default/web:80', 'tcp'],
  ['F087', 'a policy meets a translated source', 'external', '192.168.50.11:30080', 'tcp'],
] as const

async function answerOf(id: string, from: string, to: string, protocol: string) {
  const snapshot = await openSnapshot(new URL(`./${id}.tar.gz`, import.meta.url).pathname)
  const { network, objects } = assemble(snapshot)
  const asked = ask(network, objects, { from, to, protocol, namespace: 'default' })
  return conclude(inquire(network, objects, asked), asked)
}

describe('golden answers', () => {
  it.each(CASES)('%s: %s', async (id, _what, from, to, protocol) => {
    const text = renderAnswer(await answerOf(id, from, to, protocol), 'text', { colour: false })
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
