/** The lines of probe.py and probe.sh. They come from a node, so nothing but the expected form is taken, and little of it. */
import { parseIp } from '../../base/ip.ts'
import type { AnswerSender } from '../../model/probe.ts'

export interface JobOutcome {
  sent: number
  answered: number
  /** errno name of the last failure. */
  error?: string
  /** Median of the answered ones. */
  milliseconds?: number
  readonly senders: AnswerSender[]
  /** Answers of a name server: rcode, where from, number of answer records. */
  readonly dns: { readonly rcode: number; readonly from: string; readonly answers: number }[]
  /** IP lengths: the largest answered (0: none) and the smallest that was not (0: all were). */
  mtu?: { readonly largest: number; readonly lost: number }
}

export interface AskOutput {
  readonly jobs: readonly JobOutcome[]
  /** Null when answers were captured; else why not. */
  readonly blind: string | null
  /** True when it ran to its end. */
  readonly complete: boolean
}

/** More lines than this are not read. */
const MOST_LINES = 2000
const MOST_SENDERS = 16
const MAC = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/
const LINK = /^[^\s/]{1,15}$/

/** Reads what a run of `count` jobs printed. Lines of another form are left out. */
export function readAsked(output: string, count: number): AskOutput {
  const jobs = Array.from({ length: count }, (): JobOutcome => ({ sent: 0, answered: 0, senders: [], dns: [] }))
  const times: number[][] = jobs.map(() => [])
  let blind: string | null = 'no python3 there'
  let complete = false
  for (const line of output.split('\n', MOST_LINES)) {
    const words = line.split(' ')
    if (words[0] === 'capture')
      blind = words[1] === 'yes' ? null : `packets cannot be captured there (${word(words[2])})`
    if (line === 'end') complete = true
    const at = numberOf(words[1], 1000)
    const job = at === null ? undefined : jobs[at]
    if (at === null || !job) continue
    if (words[0] === 'try') {
      if (words[2] === 'ok' && /^\d{1,7}(\.\d+)?$/.test(words[3] ?? '')) {
        job.sent++
        job.answered++
        times[at]?.push(Number(words[3]))
      } else if (words[2] === 'fail') {
        job.sent++
        job.error = word(words[3])
      }
    } else if (words[0] === 'echo') readEcho(job, words)
    else if (words[0] === 'mtu') readMtu(job, words)
    else if (words[0] === 'rst' || words[0] === 'icmp') readSender(job, words)
    else if (words[0] === 'dns') {
      const [rcode, answers] = [numberOf(words[2], 15), numberOf(words[4], 65535)]
      const from = parseIp(words[3] ?? '')
      if (rcode !== null && answers !== null && from && job.dns.length < 16)
        job.dns.push({ rcode, from: words[3]!, answers })
    }
  }
  jobs.forEach((job, i) => {
    const median = times[i]?.sort((x, y) => x - y)[Math.floor((times[i]?.length ?? 0) / 2)]
    if (median !== undefined) job.milliseconds = median
  })
  return { jobs, blind, complete }
}

function readEcho(job: JobOutcome, words: readonly string[]): void {
  const [sent, answered] = [numberOf(words[2], 10_000), numberOf(words[3], 10_000)]
  if (sent === null || answered === null || answered > sent) return
  Object.assign(job, { sent, answered })
  if (/^\d{1,7}(\.\d+)?$/.test(words[4] ?? '')) job.milliseconds = Number(words[4])
  if (answered < sent) job.error = words[5] === '-' || words[5] === undefined ? 'ETIMEDOUT' : word(words[5])
}

function readMtu(job: JobOutcome, words: readonly string[]): void {
  const [largest, lost] = [numberOf(words[2], 65535), numberOf(words[3], 65535)]
  if (largest === null || lost === null) return
  job.mtu = { largest, lost }
  job.sent = 1
  job.answered = lost === 0 ? 1 : 0
}

function readSender(job: JobOutcome, words: readonly string[]): void {
  const [kind, , source, hops, mac, link, type, code, mtu] = words
  const from = parseIp(source ?? '')
  const ttl = numberOf(hops, 255)
  if (!from || ttl === null || !LINK.test(link ?? '') || job.senders.length >= MOST_SENDERS) return
  const base = { from, ttl, mac: MAC.test(mac ?? '') ? mac! : null, link: link! }
  if (kind === 'rst') job.senders.push({ kind, ...base })
  const [t, c, m] = [numberOf(type, 255), numberOf(code, 255), numberOf(mtu, 0xffffffff)]
  if (kind === 'icmp' && t !== null && c !== null && m !== null)
    job.senders.push({ kind, ...base, type: t, code: c, mtu: m })
}

export interface Seen {
  readonly link: string
  readonly way: 'in' | 'out'
  readonly direction: 'forward' | 'reply'
  readonly id: string
}

/** What a watcher printed. `lost`: packets the kernel could not hand over; null when it did not say. */
export function readWatched(output: string): { ready: boolean; seen: Seen[]; lost: number | null } {
  const seen: Seen[] = []
  let ready = false
  let lost: number | null = null
  for (const line of output.split('\n', MOST_LINES)) {
    const [kind, link, way, direction, id] = line.split(' ')
    if (kind === 'ready') ready = true
    if (kind === 'dropped') lost = numberOf(link, 0xffffffff)
    if (kind !== 'see' || !LINK.test(link ?? '') || !/^\d{1,20}$/.test(id ?? '')) continue
    if ((way === 'in' || way === 'out') && (direction === 'forward' || direction === 'reply'))
      seen.push({ link: link!, way, direction, id: id! })
  }
  return { ready, seen, lost }
}

function numberOf(text: string | undefined, most: number): number | null {
  return text !== undefined && /^\d{1,10}$/.test(text) && Number(text) <= most ? Number(text) : null
}

function word(text: string | undefined): string {
  return text !== undefined && /^[A-Za-z0-9_]{1,24}$/.test(text) ? text : 'unknown'
}
