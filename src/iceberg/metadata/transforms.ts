const known = /^(?:identity|year|years|month|months|day|days|hour|hours|void|(?:bucket|truncate)\[\d{1,9}\])$/

/**
 * Whether it is one of the specification's transforms. Width and count are not checked against the source's type: the
 * catalog stores specs, engines apply them.
 */
export function isTransform(transform: string): boolean {
  return known.test(transform)
}
