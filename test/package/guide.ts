/** A guide as something that can be followed: the files that it has written, and the commands that it has run. */
export type Step =
  | { readonly kind: 'file'; readonly name: string; readonly text: string }
  | { readonly kind: 'command'; readonly line: string }

const blocks = /^(?:`(?<name>[^`]+)`:\n\n)?```(?<language>\w+)\n(?<text>[\s\S]*?)^```$/gm

/** The steps of a guide in Markdown: a block after `name`: is a file, one of `sh` is commands. Throws for any other block. */
export function stepsOf(markdown: string): Step[] {
  return [...markdown.matchAll(blocks)].flatMap(({ groups }): Step[] => {
    const { name, language, text } = groups as { name?: string; language: string; text: string }
    if (name !== undefined) return [{ kind: 'file', name, text }]
    if (language !== 'sh') throw new Error(`A block of ${language} has no name: ${text.slice(0, 80)}`)
    return text
      .trim()
      .split('\n')
      .map((line) => ({ kind: 'command', line }))
  })
}
