/**
 * Faces: what policies can tell apart about an end. Ends with equal namespace, labels (as far as some selector reads them),
 * named ports, and blocks around their address are one face. An end with several addresses has a face for each.
 */
import type { Ip } from '../../../base/ip.ts'
import type { End } from '../end.ts'
import type { AddressSpace } from './address-space.ts'
import type { Mentions } from './mentions.ts'

export interface Face {
  readonly id: number
  /** An end with this face, and with no other address. */
  readonly end: End
  readonly family: 4 | 6 | null
  /** Null: the address is not known. */
  readonly region: number | null
  /** Equal for ends whose ports bear the same names, as far as policies know them. */
  readonly portNames: string
}

/** What policies of which it is the subject can tell apart: a face without the address. */
export interface Subject {
  readonly id: number
  readonly end: Extract<End, { kind: 'pod' }>
  /** A face of it. */
  readonly face: Face
  readonly portNames: string
}

/** The ends of a matrix, reduced to faces and subjects. */
export interface FaceBook {
  readonly faces: readonly Face[]
  readonly subjects: readonly Subject[]
  /** Numbers of the faces an end shows; one at least. */
  readonly facesOf: (end: End) => readonly number[]
  /** Null for what policies are never about. */
  readonly subjectOf: (end: End) => number | null
}

/** An empty book; asking it for an end adds what is new. */
export function faceBook(mentions: Mentions, space: AddressSpace): FaceBook {
  const faces: Face[] = []
  const subjects: Subject[] = []
  const faceIds = new Map<string, number>()
  const subjectIds = new Map<string, number>()
  const identities = new WeakMap<End, { readonly key: string; readonly portNames: string }>()
  const identify = (end: End) => {
    let known = identities.get(end)
    if (!known) {
      known = identityOf(end, mentions)
      identities.set(end, known)
    }
    return known
  }
  const faceOf = (end: End, ip: Ip | null): number => {
    const { key, portNames } = identify(end)
    const region = ip ? space.regionOf(ip) : null
    // Without blocks all addresses are one region, and a known address is as good as none.
    const place = mentions.blocks.length === 0 ? '' : `${region}`
    const full = `${ip?.family ?? ''} ${place} ${key}`
    let id = faceIds.get(full)
    if (id === undefined) {
      id = faces.length
      faceIds.set(full, id)
      faces.push({ id, end: { ...end, addresses: ip ? [ip] : [] }, family: ip ? ip.family : null, region, portNames })
    }
    return id
  }
  return {
    faces,
    subjects,
    facesOf(end) {
      if (end.addresses.length === 0) return [faceOf(end, null)]
      const one =
        end.addresses.length === 1 ? [faceOf(end, end.addresses[0]!)] : end.addresses.map((ip) => faceOf(end, ip))
      return one.length === 1 ? one : [...new Set(one)]
    },
    subjectOf(end) {
      if (end.kind !== 'pod') return null
      const { key, portNames } = identify(end)
      const full = mentions.ownNode && end.node === null ? `? ${key}` : key
      let id = subjectIds.get(full)
      if (id === undefined) {
        id = subjects.length
        subjectIds.set(full, id)
        subjects.push({ id, end, face: faces[faceOf(end, end.addresses[0] ?? null)]!, portNames })
      }
      return id
    },
  }
}

function identityOf(end: End, mentions: Mentions): { readonly key: string; readonly portNames: string } {
  switch (end.kind) {
    case 'pod': {
      const labels: (string | null)[] = []
      for (const key of mentions.podKeys) {
        const value = Object.hasOwn(end.labels, key) ? end.labels[key]! : null
        if (value !== null) labels.push(key, value)
      }
      const portNames = namesOf(end, mentions)
      return { key: JSON.stringify(['pod', end.namespace, labels, portNames]), portNames }
    }
    case 'node':
      return { key: JSON.stringify(['node', mentions.nodes ? end.node : '']), portNames: '' }
    case 'address':
      return { key: 'address', portNames: '' }
    case 'service':
      return { key: JSON.stringify(['service', end.service.meta.namespace, end.service.meta.name]), portNames: '' }
    case 'unknown':
      return { key: 'unknown', portNames: '?' }
  }
}

function namesOf(end: Extract<End, { kind: 'pod' }>, mentions: Mentions): string {
  if (mentions.portNames.size === 0) return ''
  const named: string[] = []
  for (const container of end.pod.containers)
    for (const p of container.ports)
      if (p.name !== undefined && mentions.portNames.has(p.name))
        named.push(`${p.name} ${p.protocol.toUpperCase()} ${p.containerPort}`)
  return named.sort().join(',')
}
