import { readFile } from 'node:fs/promises'
import { isMapping } from './check.ts'
import { ConfigError, type KeyPath } from './problems.ts'

/** A configuration as it was written, and where each key stands. */
export interface Source {
  readonly value: Record<string, unknown>
  /** 1-based line of a key, undefined when the file does not have it. */
  line(key: KeyPath): number | undefined
}

/** Reads a YAML file. Throws {@link ConfigError} when it is absent, unreadable or not YAML. */
export async function readSource(file: string): Promise<Source> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const message =
      code === 'ENOENT'
        ? 'cannot be read: there is no such file. Check the path given with --config, or in MOULIN_CONFIG.'
        : `cannot be read (${code}). Check that it is a file, and that this user may read it.`
    throw new ConfigError(file, [{ key: [], message }])
  }
  return await parseSource(text, file)
}

/** Parses YAML 1.2, of which JSON is a part. Throws {@link ConfigError} with lines and columns. */
export async function parseSource(text: string, file: string): Promise<Source> {
  const { LineCounter, parseDocument, isNode, isMap, isScalar } = await import('yaml')
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => {
      const { line, col } = lines.linePos(error.pos[0])
      // The parser's message may quote the file, which may hold a secret: its code says enough.
      const words = error.code.toLowerCase().replaceAll('_', ' ')
      return { key: [], message: `is not YAML at line ${line}, column ${col}: ${words}.` }
    })
    throw new ConfigError(file, problems)
  }
  const value: unknown = document.toJS() ?? {}
  if (!isMapping(value)) {
    const message = 'must be a mapping of sections (server, database, warehouses, purge, logging).'
    throw new ConfigError(file, [{ key: [], message }])
  }
  const line = (key: KeyPath) => {
    const parent: unknown = key.length > 1 ? document.getIn(key.slice(0, -1), true) : document.contents
    const pair = isMap(parent)
      ? parent.items.find((item) => isScalar(item.key) && item.key.value === key.at(-1))
      : undefined
    const node: unknown = pair?.key ?? document.getIn(key, true)
    const offset = isNode(node) ? node.range?.[0] : undefined
    return offset === undefined ? undefined : lines.linePos(offset).line
  }
  return { value, line }
}
