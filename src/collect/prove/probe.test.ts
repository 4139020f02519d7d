import { describe, expect, it } from 'vitest'
import { readPing, readTries } from './probe.ts'

describe('what probes print', () => {
  it.each([
    ['ok 0.4\nok 1.2\nok 0.6\n', { sent: 3, answered: 3, milliseconds: 0.6 }],
    ['fail ETIMEDOUT\nfail ETIMEDOUT\n', { sent: 2, answered: 0, error: 'ETIMEDOUT' }],
    ['ok 2\nfail ECONNREFUSED\n', { sent: 2, answered: 1, error: 'ECONNREFUSED', milliseconds: 2 }],
    ['none: no python3, perl, bash, nc or curl here\n', null],
    ['', null],
  ])('%j', (output, want) => {
    expect(readTries(output)).toEqual(want)
  })

  it('reads the summary of ping', () => {
    expect(
      readPing(
        '20 packets transmitted, 14 received, 30% packet loss, time 1ms\nrtt min/avg/max/mdev = 0.1/0.2/0.3/0.0 ms\n',
      ),
    ).toEqual({ sent: 20, answered: 14, error: 'ETIMEDOUT', milliseconds: 0.2 })
    expect(readPing('3 packets transmitted, 3 packets received, 0% packet loss\n')).toEqual({ sent: 3, answered: 3 })
    expect(readPing('ping: connect: Network is unreachable\n')).toBeNull()
  })
})
