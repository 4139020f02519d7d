import { describe, expect, it } from 'vitest'
import { forwardsOf, readCorefile } from './corefile.ts'

describe('Corefile', () => {
  it('reads server blocks, plugins with blocks of their own, comments and quotes', () => {
    const c = readCorefile(`# top
(snip) {
    errors
}
.:53 {
    errors
    kubernetes cluster.local in-addr.arpa { # why
       pods insecure
       forward . 9.9.9.9
    }
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    "loop"
}
corp.example, example.org {
    forward corp.example 10.0.0.1 10.0.0.2:5353
}
`)
    expect(c.whole).toBe(true)
    expect(c.servers.map((s) => s.keys)).toEqual([['.:53'], ['corp.example', 'example.org']])
    expect(c.servers[0]?.plugins.map((p) => p.name)).toEqual(['errors', 'kubernetes', 'forward', 'loop'])
    expect(forwardsOf(c).map((f) => [f.zone, f.to, f.line])).toEqual([
      ['.', ['/etc/resolv.conf'], 11],
      ['corp.example', ['10.0.0.1', '10.0.0.2:5353'], 17],
    ])
  })

  it.each([['import other.conf\n.:53 {\n}'], ['.:53 {\n forward . 1.1.1.1\n'], ['}\n.:53 {\n}']])(
    'is not whole: %j',
    (text) => {
      expect(readCorefile(text).whole).toBe(false)
    },
  )
})
