/** `netwhy lab up`, `down`, `break` and `heal`. */
import { breakIt } from '../../lab/break.ts'
import { down, heal, up } from '../../lab/lifecycle.ts'
import { type LabOptions, labPlace } from '../../lab/plan.ts'
import { requireUp } from '../../lab/state.ts'

const say = (text: string): void => {
  process.stderr.write(`${text}\n`)
}

/** Aborts when the user interrupts, so that the work can clear up before this process ends. */
async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController()
  const abort = () => stop.abort()
  for (const s of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(s, abort)
  try {
    return await work(stop.signal)
  } finally {
    for (const s of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(s, abort)
  }
}

const told = (o: LabOptions) => `${o.topology}, kube-proxy ${o.proxy}, iptables-${o.iptables}, ${o.stack}`

export async function labUp(options: LabOptions): Promise<void> {
  const place = labPlace(process.env)
  const from = Date.now()
  if (await interruptible((signal) => up(place, options, signal))) {
    say(`lab up: ${told(options)} (${((Date.now() - from) / 1000).toFixed(1)} s)`)
    return
  }
  const state = requireUp(place)
  say(`lab is up already: ${told(state.options)}, since ${state.startedAt}`)
  if (told(state.options) !== told(options)) say('its options differ; run `netwhy lab down` first to change them')
}

export async function labDown(): Promise<void> {
  say((await down(labPlace(process.env))) ? 'lab down' : 'no lab was up')
}

export async function labBreak(fault: string): Promise<void> {
  const broken = await breakIt(labPlace(process.env), fault)
  say(`broken: ${broken.title} (${broken.code})`)
}

export async function labHeal(): Promise<void> {
  const faults = await interruptible((signal) => heal(labPlace(process.env), signal))
  say(faults.length > 0 ? `healed: ${faults.join(', ')}` : 'the lab was rebuilt; nothing was broken by name')
}
