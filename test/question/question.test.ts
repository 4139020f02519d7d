import { describe, expect, it } from 'vitest'
import { assemble } from '../../src/assemble/assemble.ts'
import { openSnapshot } from '../../src/collect/open.ts'
import { conclude, inquire } from '../../src/diagnose/diagnose.ts'
import { ask } from '../../src/diagnose/question/ask.ts'
import { QuestionError } from '../../src/diagnose/question/resolve.ts'

describe('questions about the demo', async () => {
  const snapshot = await openSnapshot(new URL('../../demo/fdb-missing.tar.gz', import.meta.url).pathname)
  const { network, objects } = assemble(snapshot)
  const asked = (from: string, to: string) => ask(network, objects, { from, to, protocol: 'tcp', namespace: 'default' })

  it.each([
    ['tools/client', 'shop/web-11:80', 'no pod web-11 in namespace shop (did you mean shop/web-1, shop/web-2?)'],
    ['shop/client', 'shop/web-1:80', 'no pod client in namespace shop (did you mean tools/client?)'],
    ['tools/client', 'svc/shop/wbe', 'no service wbe in namespace shop (did you mean shop/db, shop/web?)'],
    ['tools/client', 'svc/web', 'no service web in namespace default (did you mean shop/web?)'],
    ['tools/client', 'node/node9', 'no node node9 (did you mean node1, node2, node3?)'],
    ['tools/client', 'shop/web-1:99999', 'shop/web-1:99999: port 99999 must be a number from 1 to 65535'],
    ['tools/client', 'svc/shop/web:0', 'svc/shop/web:0: port 0 must be a number from 1 to 65535'],
    ['tools/client', '300.1.1.1:80', '300.1.1.1:80: not an IP address'],
  ])('%s to %s: %s', (from, to, message) => {
    expect(() => asked(from, to)).toThrow(new QuestionError(message))
  })

  it.each([
    ['svc/kube-system/kube-dns:dns', undefined, 'udp'],
    ['svc/kube-system/kube-dns:dns-tcp', undefined, 'tcp'],
    ['svc/kube-system/kube-dns:dns', 'tcp', 'tcp'],
    ['svc/kube-system/kube-dns:53', undefined, 'tcp'],
    ['svc/shop/web:80', undefined, 'tcp'],
    ['10.96.0.10:53', undefined, 'tcp'],
  ])('%s with --protocol %s is asked over %s', (to, protocol, expected) => {
    const options = { from: 'tools/client', to, namespace: 'default', ...(protocol ? { protocol } : {}) }
    expect(ask(network, objects, options).question.protocol).toBe(expected)
  })

  it.each(['svc/shop/web', 'host:web.shop:80', 'host:example.com:443'])(
    'probabilities of the ways to %s add up to 1',
    (to) => {
      const question = asked('tools/client', to)
      const { branches, successProbability, verdict } = conclude(inquire(network, objects, question), question)
      expect(branches.reduce((sum, b) => sum + b.probability, 0)).toBeCloseTo(1)
      const delivered = branches.filter((b) => b.disposition === 'delivered')
      if (verdict === 'partial')
        expect(successProbability).toBeCloseTo(delivered.reduce((sum, b) => sum + b.probability, 0))
    },
  )
})
