/** When to look again: files that changed, or time that passed; and the loop that does it until it is stopped. */
import { type FSWatcher, readdirSync, statSync, watch } from 'node:fs'
import { dirname, join } from 'node:path'

/** Resolves to true when it is time to look again, to false when it was stopped. */
export type Next = () => Promise<boolean>

export interface Clock {
  readonly after: (milliseconds: number, call: () => void) => () => void
}

export const REAL_CLOCK: Clock = {
  after(milliseconds, call) {
    const timer = setTimeout(call, milliseconds)
    return () => clearTimeout(timer)
  },
}

/** Every `seconds` after the last look ended. */
export function everySeconds(seconds: number, signal: AbortSignal, clock: Clock = REAL_CLOCK): Next {
  return () =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve(false)
      const stop = () => {
        cancel()
        resolve(false)
      }
      const cancel = clock.after(seconds * 1000, () => {
        signal.removeEventListener('abort', stop)
        resolve(true)
      })
      signal.addEventListener('abort', stop, { once: true })
    })
}

/** Editors write in several steps: look when this much time passed without another event. */
const QUIET = 150
const MOST_FILES = 20_000
const MOST_DEPTH = 40

/** Names, sizes and times of all files under the paths; equal as long as nothing changed. */
export function fingerprint(paths: readonly string[]): string {
  const out: string[] = []
  const visit = (path: string, depth: number): void => {
    if (out.length > MOST_FILES) return
    try {
      const s = statSync(path)
      if (!s.isDirectory()) out.push(`${path} ${s.size} ${s.mtimeMs} ${s.ino}`)
      else if (depth < MOST_DEPTH)
        for (const name of readdirSync(path).sort()) if (!name.startsWith('.')) visit(join(path, name), depth + 1)
    } catch {
      out.push(`${path} gone`)
    }
  }
  for (const path of paths) visit(path, 0)
  return out.join('\n')
}

/**
 * When the files change, by the kernel's events; where there are none (network file systems, too many watches) and in any case every
 * `seconds`, by looking at names, sizes and times.
 */
export function onFileChange(
  paths: readonly string[],
  seconds: number,
  signal: AbortSignal,
  clock: Clock = REAL_CLOCK,
): Next {
  let seen = fingerprint(paths)
  let wake = () => {}
  const watchers = paths.flatMap((path) => watcherOf(path, () => wake()))
  const close = () => {
    for (const w of watchers) w.close()
  }
  signal.addEventListener('abort', close, { once: true })
  return () =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve(false)
      let cancelQuiet = () => {}
      let cancelPoll = () => {}
      const end = (again: boolean) => {
        cancelQuiet()
        cancelPoll()
        wake = () => {}
        signal.removeEventListener('abort', stop)
        resolve(again)
      }
      const stop = () => end(false)
      const look = () => {
        const now = fingerprint(paths)
        if (now === seen) return false
        seen = now
        end(true)
        return true
      }
      const poll = () => {
        cancelPoll = clock.after(seconds * 1000, () => {
          if (!look()) poll()
        })
      }
      wake = () => {
        cancelQuiet()
        cancelQuiet = clock.after(QUIET, look)
      }
      signal.addEventListener('abort', stop, { once: true })
      // What changed while nobody waited.
      if (!look()) poll()
    })
}

/** Of a file its folder is watched, because editors replace files. */
function watcherOf(path: string, wake: () => void): FSWatcher[] {
  try {
    const folder = statSync(path).isDirectory()
    const watcher = watch(folder ? path : dirname(path), { recursive: folder }, wake)
    watcher.on('error', () => watcher.close())
    return [watcher]
  } catch {
    return []
  }
}

/** Looks once, then again whenever `next` says so. `tell` gets what was found before, null the first time. */
export async function lookAgain<Found>(
  look: () => Promise<Found | null>,
  next: Next,
  tell: (now: Found, before: Found | null) => void,
): Promise<Found | null> {
  let before: Found | null = null
  do {
    const now = await look()
    if (now !== null) {
      tell(now, before)
      before = now
    }
  } while (await next())
  return before
}
