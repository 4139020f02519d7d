import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SNAPSHOT_VERSION } from '../snapshot/snapshot.ts'
import { defaultName } from './snapshot.ts'
import { describeSnapshot } from './snapshot-summary.ts'
import { inventoryFile, loadEvidence } from './source.ts'

let dir = ''
const before = process.env.NETWHY_LAB_DIR
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'netwhy-source-'))
  process.env.NETWHY_LAB_DIR = dir
})
afterEach(() => {
  rmSync(dir, { recursive: true, force: true })
  if (before === undefined) delete process.env.NETWHY_LAB_DIR
  else process.env.NETWHY_LAB_DIR = before
})

test('one way to evidence is needed, and only one', () => {
  expect(() => inventoryFile({})).toThrow(/--snapshot PATH .*--inventory FILE .*--lab/)
  expect(() => inventoryFile({ lab: true, snapshot: 'x' })).toThrow('exclude each other')
  expect(inventoryFile({ snapshot: 'x' })).toBeNull()
  expect(inventoryFile({ inventory: 'i.yaml' })).toBe('i.yaml')
})

test('--lab is the inventory of the lab that is up', () => {
  expect(() => inventoryFile({ lab: true })).toThrow('no lab is up on this machine: run netwhy lab up')
  writeFileSync(join(dir, 'inventory.yaml'), '')
  expect(inventoryFile({ lab: true })).toBe(join(dir, 'inventory.yaml'))
})

test('when no node can be reached the command fails, with a line for each', async () => {
  const file = join(dir, 'i.yaml')
  writeFileSync(file, 'nodes: [{name: n1, via: {netns: netwhy-no-such}}, {name: n2, via: {netns: netwhy-no-such}}]')
  const failure = loadEvidence({ inventory: file })
  await expect(failure).rejects.toMatchObject({ code: 4 })
  await expect(failure).rejects.toThrow(/^node n1: netns netwhy-no-such: .*\nnode n2: netns netwhy-no-such: /)
})

test('the default name of a snapshot is its time', () =>
  expect(defaultName(new Date(2026, 0, 2, 3, 4, 5))).toBe('netwhy-20260102-030405.tar.gz'))

test('the summary tells where, how much, and what is missing, and nothing a node says reaches the terminal raw', () => {
  const artefact = { command: 'nft -a list ruleset', seconds: 0, stderr: '', bytes: 0, truncated: false }
  const text = describeSnapshot(
    {
      version: SNAPSHOT_VERSION,
      time: '',
      tool: '',
      nodes: [{ name: 'n1' }, { name: 'n2', error: 'ssh n2: \x1b[31mrefused\x07' }],
      pods: [{ namespace: 'a', name: 'b', node: 'n2', folder: null, error: 'nothing was collected from n2' }],
      artefacts: [
        { ...artefact, path: 'nodes/n1/host/ss.txt', exitCode: 0, bytes: 1_500_000 },
        { ...artefact, path: 'nodes/n1/host/nft-ruleset.txt', exitCode: 127 },
        { ...artefact, path: 'nodes/n1/host/conntrack.txt', exitCode: null },
        { ...artefact, path: 'nodes/n1/host/ipset-save.txt', exitCode: 1, stderr: 'Permission\ndenied' },
        { ...artefact, path: 'nodes/n1/host/iptables-save.txt', exitCode: null, truncated: true },
        { ...artefact, path: 'nodes/n1/node/cni/bin.txt', exitCode: 2, stderr: 'no such folder' },
      ],
    },
    '/tmp/s.tar.gz',
  )
  expect(text).toBe(`Wrote /tmp/s.tar.gz
1 of 2 nodes, 0 pods, 6 artefacts, 1.5 MB
Missing:
  node n2: ssh n2: ?[31mrefused?
  pod a/b: nothing was collected from n2
  nodes/n1/host/nft-ruleset.txt: nft is not installed
  nodes/n1/host/conntrack.txt: took too long, or was killed
  nodes/n1/host/ipset-save.txt: Permission denied
  nodes/n1/host/iptables-save.txt: cut short at the size limit
`)
})
