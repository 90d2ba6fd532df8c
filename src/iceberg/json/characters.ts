/** JSON's structural characters (RFC 8259 §2), as code units and as bytes of UTF-8. */
export const quote = 34
export const comma = 44
export const colon = 58
export const openBracket = 91
export const backslash = 92
export const closeBracket = 93
export const openBrace = 123
export const closeBrace = 125

/** Levels of arrays and objects inside one another. Real metadata stays far below. */
export const maxDepth = 200
