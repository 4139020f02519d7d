import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { parseQdiscs } from './qdiscs.ts'

const fixture = (name: string) => readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8')

it('reads rates and the filters on a qdisc', () => {
  const filters = { text: fixture('filter.txt'), origin: { artefact: 'f' } }
  const { value, complete } = parseQdiscs(fixture('qdisc.json'), { artefact: 'q' }, filters)
  expect(complete).toBe(true)
  expect(value.map((q) => `${q.link} ${q.kind} ${q.parent} ${q.rate ?? ''} ${q.filters.length}`)).toEqual([
    'lo noqueue root  0',
    'v0 tbf root 1250000 0',
    'v0 clsact ffff:fff1  3',
  ])
  expect(value[1]).toMatchObject({ burst: 4096, dropped: 0 })
  expect(value[2]!.filters[2]).toContain('mirred (Egress Redirect to device lo)')
})

it('reads the loss of netem', () => {
  // SOURCE: tc/q_netem.c of iproute2 6.1; the kernel here has no netem.
  const text =
    '[{"kind":"netem","handle":"1:","dev":"eth0","root":true,"options":{"limit":1000,"loss-random":{"loss":0.1,"correlation":0}},"drops":3}]'
  expect(parseQdiscs(text, { artefact: 'q' }, null).value[0]).toMatchObject({ loss: 0.1, dropped: 3 })
})
