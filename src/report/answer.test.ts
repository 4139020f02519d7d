import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { topology } from '../datapath/testing/topology.ts'
import { conclude, inquire } from '../diagnose/diagnose.ts'
import { ask } from '../diagnose/question/ask.ts'
import { OBJECTS, STATE } from '../diagnose/testing/cluster.ts'
import type { Answer } from '../model/finding.ts'
import { ANSWER_FORMATS, renderAnswer } from './answer.ts'
import { clean } from './clean.ts'

function answer(state: string): Answer {
  const network = topology(state)
  const asked = ask(network, OBJECTS, { from: 'pod/client1', to: 'pod/web2', protocol: 'tcp', namespace: 'default' })
  return conclude(inquire(network, OBJECTS, asked), asked)
}

const NO_WAY_BACK = STATE.replace('  route 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink\n', '')

describe('renderAnswer', () => {
  it('tells a tired person the verdict first, then the culprit, proof, remedy and path', () => {
    expect(renderAnswer(answer(NO_WAY_BACK), 'text', { colour: false })).toMatchInlineSnapshot(`
      "✗ unreachable: pod/default/client1 → pod/default/web2 port 8080 (tcp)
        route-missing on node2, on the way back: node2 has no route to 10.244.1.0/24
        (pods of node1)

      Why    The reply 10.244.2.20:8080 → 10.244.1.10:40000 (tcp) reaches node2, which
             has no route to 10.244.1.0/24; it leaves by the default route (eth0),
             away from the cluster. No tunnel packet is ever sent.
      Proof  topology:24
               route default via 172.30.0.1 dev eth0
             topology
               no route to 10.244.1.0/24 in the main table
      To do  Restart the CNI agent on node2 so that it installs the route again; look
             for what removed it (networkd and NetworkManager remove foreign routes).
             On node2:
               ip route replace 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink
             ✓ tried on the model: it cures this and breaks no other connection

      Request
       ● pod default/client1 (on node1)
       │  route       10.244.2.20 goes by default via 10.244.1.1 dev eth0 (table
       │              main), source 10.244.1.10
       │  send        sent on eth0 to node1 veth-client1
       ● node1
       │  route       10.244.2.20 goes by 10.244.2.0/24 via 10.244.2.0 dev flannel.1
       │              (table main)
       │  encap       flannel.1 wraps it in VXLAN 1 to 172.30.0.12 port 8472: the FDB
       │              has 02:01:95:7a:45:1b behind 172.30.0.12
       │  route       172.30.0.12 goes by 172.30.0.0/24 dev eth0 (table main), source
       │              172.30.0.11
       │  wire        crosses the wire from eth0 to node2 eth0
       ● node2
       │  decap       flannel.1 unwraps VXLAN 1 from 172.30.0.11
       │  route       10.244.2.20 goes by 10.244.2.0/24 dev cni0 (table main)
       │  send        sent on veth-web2 to pod default/web2 eth0
       ● pod default/web2 (on node2)
       │  socket      delivered to the socket listening on 0.0.0.0:8080
       ✓
      Reply
       ● pod default/web2 (on node2)
       │  route       10.244.1.10 goes by default via 10.244.2.1 dev eth0 (table
       │              main), source 10.244.2.20
       │  send        sent on eth0 to node2 veth-web2
       ● node2
       │  route       10.244.1.10 goes by default via 172.30.0.1 dev eth0 (table main)
       ✗  neighbour   172.30.0.1 is no machine that was collected: leaves by eth0
      "
    `)
  })

  it('says in one line that all is well, with the path below', () => {
    const text = renderAnswer(answer(STATE), 'text', { colour: false })
    expect(text.split('\n')[0]).toBe('✓ reachable: pod/default/client1 → pod/default/web2 port 8080 (tcp)')
    expect(text).not.toContain('Why')
  })

  it('keeps to 80 columns where words allow it', () => {
    const prose = renderAnswer(answer(NO_WAY_BACK), 'text', { colour: false })
      .split('\n')
      .filter((l) => /^(Why|To do| {7}\w)/.test(l))
    expect(prose.every((l) => l.length <= 80)).toBe(true)
  })

  it('prints the JSON of the contract', () => {
    const json = JSON.parse(renderAnswer(answer(NO_WAY_BACK), 'json', { colour: false }))
    expect(json).toMatchObject({
      apiVersion: 'netwhy/v1',
      kind: 'Answer',
      question: { from: 'pod/default/client1', to: 'pod/default/web2', protocol: 'tcp', port: 8080 },
      verdict: 'unreachable',
      successProbability: 0,
      rootCause: 'route-missing',
    })
    expect(json.branches[0].forward[0]).toMatchObject({ node: 'node1', netns: 'pod/default/client1' })
    expect(json.branches[0].forward[1]).toMatchObject({ node: 'node1', netns: 'host' })
    expect(json.branches[0].forward[0].steps[0].packet.dst).toBe('10.244.2.20:8080')
    expect(json.findings[0]).toMatchObject({
      code: 'route-missing',
      severity: 'error',
      where: { node: 'node2', netns: 'host', direction: 'reply' },
    })
  })

  it('says the same in YAML', () => {
    const a = answer(NO_WAY_BACK)
    expect(parse(renderAnswer(a, 'yaml', { colour: false }))).toEqual(
      JSON.parse(renderAnswer(a, 'json', { colour: false })),
    )
  })

  it('is the same text twice', () => {
    for (const f of ANSWER_FORMATS)
      expect(renderAnswer(answer(NO_WAY_BACK), f, { colour: true })).toBe(
        renderAnswer(answer(NO_WAY_BACK), f, { colour: true }),
      )
  })

  it('never lets cluster text speak to the terminal', () => {
    const evil = `\u001b[2J\u0007rm -rf\u202e${'x'.repeat(5000)}`
    const a = answer(NO_WAY_BACK)
    const [f] = a.findings
    if (!f) throw new Error('no finding')
    const spoilt: Answer = {
      ...a,
      question: { ...a.question, from: evil },
      findings: [
        {
          ...f,
          title: evil,
          text: evil,
          evidence: [{ artefact: evil, text: evil }],
          remedy: { text: evil, commands: [evil], manifest: `a: 1\n${evil}`, verified: false },
        },
      ],
      missing: [{ artefact: evil, consequence: evil }],
    }
    for (const format of ['text', 'wide', 'markdown'] as const) {
      const out = renderAnswer(spoilt, format, { colour: false })
      expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
      expect(Math.max(...out.split('\n').map((l) => l.length))).toBeLessThan(2000)
    }
  })
})

describe('clean', () => {
  it.each([
    ['plain', 'plain'],
    ['a\tb\nc', 'a b c'],
    ['\u001b[31m', '\\x1b[31m'],
    ['\u202egnp', '\\u202egnp'],
  ])('%j', (text, want) => {
    expect(clean(text)).toBe(want)
  })
})
