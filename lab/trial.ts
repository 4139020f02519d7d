/** A lab of its own for a test, apart from the user's and from other tests': own prefix, own folder, own server bundle. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { netnsOf } from './exec.ts'
import { down, up } from './lifecycle.ts'
import { DEFAULT_OPTIONS, type LabOptions, type LabPlace } from './plan.ts'
import { run } from './run.ts'
import type { ProbeAnswer } from './server/probe.ts'

export interface Trial {
  readonly place: LabPlace
  readonly program: string
  up(options?: Partial<LabOptions>): Promise<void>
  down(): Promise<void>
  /** One connection from `pod/NS/NAME` or `node/NAME`; `timeout` after `patience` milliseconds. */
  probe(from: string, host: string, port: number, more?: ProbeMore): Promise<ProbeAnswer>
  /** Output of a program run there; fails when it does. */
  read(where: string, ...command: string[]): Promise<string>
  /** Takes the lab down and removes the bundle. */
  end(): Promise<void>
}

export interface ProbeMore {
  readonly protocol?: 'tcp' | 'udp'
  readonly patience?: number
  readonly path?: string
}

/** Builds the server program and answers a lab that is not up yet. The prefix does not begin with the default one. */
export async function makeTrial(name: string): Promise<Trial> {
  const folder = mkdtempSync(join(tmpdir(), 'netwhy-trial-'))
  const program = join(folder, 'lab-server.mjs')
  await build({
    entryPoints: ['lab/server/main.ts'],
    outfile: program,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'error',
  })
  process.env.NETWHY_LAB_SERVER = program
  const place: LabPlace = { prefix: `nwt-${name}-`, dir: `/run/nwt-${name}` }
  const read = async (where: string, ...command: string[]) =>
    (await run(['ip', 'netns', 'exec', netnsOf(place, where), ...command])).stdout
  return {
    place,
    program,
    up: async (options) => void (await up(place, { ...DEFAULT_OPTIONS, ...options })),
    down: async () => void (await down(place)),
    probe: async (from, host, port, more = {}) => {
      const args = [more.protocol ?? 'tcp', host, String(port), String(more.patience ?? 1500), more.path ?? '/']
      return JSON.parse(await read(from, process.execPath, program, 'probe', ...args)) as ProbeAnswer
    },
    read,
    end: async () => {
      await down(place)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
