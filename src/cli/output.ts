/** How answers are printed: the format asked for, and what the terminal can show. */
import { UsageError } from './errors.ts'

/** The format `-o` names. @throws UsageError for another */
export function formatOf<F extends string>(formats: readonly F[], output: string): F {
  const format = formats.find((f) => f === output)
  if (format === undefined) throw new UsageError(`--output ${output}: must be one of ${formats.join(', ')}`)
  return format
}

/** Colour only on a terminal whose owner has not set NO_COLOR; lines of its width, 80 columns elsewhere, 100 at most. */
export function terminal(): { readonly colour: boolean; readonly width: number } {
  const colour = process.stdout.isTTY === true && !process.env.NO_COLOR
  return { colour, width: Math.min(process.stdout.columns ?? 80, 100) }
}
