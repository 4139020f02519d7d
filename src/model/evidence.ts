/** One line of raw evidence: which artefact of the snapshot, where in it, what it says, which command or API call gave it. */
export interface Evidence {
  /** Path of the artefact inside the snapshot, e.g. `nodes/node2/host/ip-route.json`. */
  readonly artefact: string
  /** 1-based line in the artefact, when the artefact has lines that mean something. */
  readonly line?: number
  readonly text: string
  /** The command or API call that produced the artefact. */
  readonly source?: string
}

/** Trouble in our evidence or our parsing of it. Never a finding about the user's cluster. */
export interface Issue {
  readonly artefact: string
  readonly line?: number
  readonly message: string
}

/** Something that was not collected, and what cannot be decided without it. */
export interface Missing {
  readonly artefact: string
  readonly consequence: string
}

/** A parser's yield: what was understood and what was not. */
export interface Parsed<T> {
  readonly value: T
  readonly issues: readonly Issue[]
}
