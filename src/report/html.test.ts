import { describe, expect, it } from 'vitest'
import type { Answer, Report } from '../model/finding.ts'
import { renderAnswer } from './answer.ts'
import { renderReport } from './report.ts'

const HOSTILE = '</pre><script>alert(1)</script>"\'&\u001b[2J'

const FINDING = {
  code: 'fdb-missing',
  severity: 'error' as const,
  title: HOSTILE,
  text: HOSTILE,
  where: { node: HOSTILE, netns: 'host' },
  evidence: [{ artefact: HOSTILE, line: 3, text: HOSTILE }],
  remedy: { text: HOSTILE, commands: [HOSTILE], manifest: HOSTILE, verified: true },
}

const ANSWER: Answer = {
  question: { from: HOSTILE, to: 'pod/shop/web-1', protocol: 'tcp', port: 80 },
  verdict: 'unreachable',
  successProbability: 0,
  rootCause: 'fdb-missing',
  branches: [],
  findings: [FINDING],
  missing: [{ artefact: HOSTILE, consequence: HOSTILE }],
}

const REPORT: Report = {
  verdicts: { hostNetwork: 'ok', containerNetwork: 'failing', setupState: HOSTILE },
  because: { hostNetwork: HOSTILE, containerNetwork: HOSTILE, setupState: HOSTILE },
  tried: { connections: 4, delivered: 2, undecided: 0 },
  findings: [{ ...FINDING, breaks: { connections: 2, examples: [HOSTILE] } }],
  missing: [],
}

const PAGES = {
  answer: renderAnswer(ANSWER, 'html', { colour: false }),
  report: renderReport(REPORT, 'html', { colour: false }),
}

describe.each(Object.entries(PAGES))('the %s as one HTML file', (_name, html) => {
  it('lets nothing from a cluster become markup or an escape', () => {
    expect(html).not.toMatch(/<script|alert\(1\)<\/script|\u001b/)
    expect(html.match(/&#60;script&#62;/g)?.length).toBeGreaterThan(4)
  })

  it('loads nothing from elsewhere and may not run anything', () => {
    expect(html).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`)
    expect(html).not.toMatch(/\b(?:src|href|url)\s*[=(]/)
  })

  it('closes what it opens', () => {
    for (const tag of ['section', 'dl', 'dd', 'pre', 'table', 'ul', 'ol', 'li', 'h1', 'h2', 'h3'])
      expect([tag, html.split(`<${tag}`).length]).toEqual([tag, html.split(`</${tag}>`).length])
  })
})

it('the report says what a finding breaks, the answer its verdict first', () => {
  expect(PAGES.report).toContain('<dt>Breaks</dt><dd>2 of 4 tried connections')
  expect(PAGES.answer).toContain('<h1><span class="bad">✗ unreachable</span>')
})
