/** Expectations as they were declared. */
import type { Prefix } from '../../base/ip.ts'
import type { GuardSeverity } from '../../model/guard.ts'

/** Who stands at an end of a connection. */
export type EndSelector =
  /** A reference of CONTRACT, without its port. */
  | { readonly kind: 'reference'; readonly text: string }
  | { readonly kind: 'cidr'; readonly prefix: Prefix }
  /** Every pod with a network of its own. */
  | { readonly kind: 'everyone' }
  /** Every pod and every address outside. */
  | { readonly kind: 'anyone' }
  /** Every address outside. */
  | { readonly kind: 'external' }
  /** The public ones of them. */
  | { readonly kind: 'internet' }
  /** The DNS of the cluster; only at the end that is reached. */
  | { readonly kind: 'dns' }
  | {
      readonly kind: 'pods'
      /** Names; null: all. */
      readonly namespaces: readonly string[] | null
      readonly namespaceLabels: LabelTerms | null
      readonly labels: LabelTerms | null
    }
  | { readonly kind: 'union'; readonly of: readonly EndSelector[] }
  | { readonly kind: 'intersection'; readonly of: readonly EndSelector[] }
  | { readonly kind: 'without'; readonly of: EndSelector; readonly not: EndSelector }

/** By label: the values that fit; null: any, as long as it is there. */
export type LabelTerms = Readonly<Record<string, readonly string[] | null>>

export interface ExpectedPort {
  /** Upper case; null: of a Service its own, else TCP. */
  readonly protocol: string | null
  /** Number or name. */
  readonly port: string
}

export interface Expectation {
  readonly name: string
  /** 1-based, of its first key. */
  readonly line: number
  readonly from: EndSelector
  readonly to: EndSelector
  /** As written, for reports. */
  readonly fromText: string
  readonly toText: string
  /** Empty: every port, or those of the Service. */
  readonly ports: readonly ExpectedPort[]
  /** Upper case: without ports, only this protocol is meant. */
  readonly protocol: string | null
  readonly reaches: boolean
  readonly severity: GuardSeverity
  readonly because: string | null
  readonly owner: string | null
  readonly allowEmpty: boolean
}

export interface ExpectationFile {
  /** Namespace of references without one; null: the file does not say. */
  readonly namespace: string | null
  readonly expectations: readonly Expectation[]
}
