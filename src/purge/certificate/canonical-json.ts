/**
 * JSON in the one form that RFC 8785 gives it: members ordered by the UTF-16 code units of their names, no white space.
 * For numbers, only integers that are exact are taken, whose form is the same everywhere. Throws TypeError for others.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item)).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`)
    return `{${members.join(',')}}`
  }
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new TypeError(`A certificate holds integers only, not ${value}`)
  }
  if (value === undefined) throw new TypeError('A certificate holds no undefined')
  return JSON.stringify(value)
}
