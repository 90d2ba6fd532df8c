/** The known word that the given one is most likely meant to be, or undefined when none is near. */
export function suggest(word: string, known: readonly string[]): string | undefined {
  const candidates = known
    .map((candidate) => ({ candidate, distance: distance(fold(word), fold(candidate)) }))
    .sort((a, b) => a.distance - b.distance)
  const best = candidates[0]
  return best !== undefined && best.distance <= Math.max(1, Math.floor(word.length / 3))
    ? best.candidate
    : undefined
}

/** `max_body-bytes` and `maxBodyBytes` are the same word. */
function fold(word: string): string {
  return word.toLowerCase().replace(/[^a-z0-9]/g, '')
}

/** Number of letters to insert, remove, replace or swap with the next one (optimal string alignment). */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      row.push(
        Math.min(
          rows[i - 1]![j]! + 1,
          row[j - 1]! + 1,
          replaced,
          swapped ? rows[i - 2]![j - 2]! + 1 : Number.POSITIVE_INFINITY,
        ),
      )
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}
