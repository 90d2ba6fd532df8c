/** Throws Error naming the option. */
export function wholeNumber(name: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`--${name} must be a whole number from 1, but is ${text}`)
  return Number(text)
}

/** The chosen ones of those that there are, in their order; `all` chooses every one. Throws Error naming the option. */
export function choices<T extends string>(name: string, text: string, all: readonly T[]): T[] {
  const chosen = text.split(',')
  const unknown = chosen.find((each) => each !== 'all' && !all.includes(each as T))
  if (unknown !== undefined)
    throw new Error(`--${name} must be all, or some of ${all.join(', ')}, but is ${text}`)
  return all.filter((each) => chosen.includes('all') || chosen.includes(each))
}
