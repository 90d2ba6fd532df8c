// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${env:NAME}` is how the file refers to the environment
import { type Definition, definition } from './definition.ts'

/** The page docs/reference/configuration.md, made from the definition. */
export function configReference(): string {
  const sections = Object.entries(definition.properties).map(([name, section]) =>
    renderSection([name], section as Definition),
  )
  return `${[introduction, ...sections].join('\n\n')}\n`
}

function renderSection(path: readonly string[], section: Definition): string {
  const inner = typeof section.additionalProperties === 'object' ? section.additionalProperties : undefined
  const names = inner === undefined ? path : [...path, `<${section['x-names']}>`]
  const heading = `## \`${names.join('.')}\`\n\n${section.description}`
  return [heading, table(names, inner ?? section)].join('\n\n')
}

function table(prefix: readonly string[], section: Definition): string {
  const rows = rowsOf([], section).map(({ key, type, fallback, description }) => {
    const cells = [`\`${key.join('.')}\``, type, fallback, description]
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  })
  return [`| \`${prefix.join('.')}.…\` | type | default | |`, '|---|---|---|---|', ...rows].join('\n')
}

interface Row {
  readonly key: readonly string[]
  readonly type: string
  readonly fallback: string
  readonly description: string
}

function rowsOf(path: readonly string[], section: Definition): Row[] {
  return Object.entries(section.properties ?? {}).flatMap(([name, property]) => {
    const key = [...path, name]
    if (property.oneOf !== undefined) return property.oneOf.flatMap((branch) => branchRows(key, branch))
    if (property.properties !== undefined) return rowsOf(key, property)
    const required = section.required?.includes(name) ?? false
    const row = {
      key,
      type: typeOf(property),
      fallback: required ? '**required**' : print(property.default),
      description: `${property.description ?? ''}${examplesOf(property)}`,
    }
    return [row, ...memberRows(key, property)]
  })
}

/** Of a list of mappings: the keys of each, as `routes[].purger`. */
function memberRows(path: readonly string[], { items }: Definition): Row[] {
  if (items?.properties === undefined) return []
  return rowsOf([...path.slice(0, -1), `${path.at(-1)}[]`], items)
}

/** `storage` with `type: local` and with `type: s3`: the constant is a row, the rest follows it. */
function branchRows(path: readonly string[], branch: Definition): Row[] {
  const { type, ...properties } = branch.properties ?? {}
  const kind = type?.const ?? ''
  const head = {
    key: [...path, 'type'],
    type: `\`"${kind}"\``,
    fallback: '',
    description: branch.description ?? '',
  }
  return [head, ...rowsOf(path, { properties })]
}

function typeOf(property: Definition): string {
  if (property['x-unit'] === 'duration') return 'duration'
  if (property['x-unit'] === 'size') return 'size'
  if (property.enum !== undefined) return property.enum.map((word) => `\`${word}\``).join(', ')
  if (property.type === 'array')
    return property.items?.type === 'object' ? 'list of mappings' : 'list of strings'
  if (property.type === 'object') return 'mapping'
  if (property.type === 'integer') return `integer, ${rangeOf(property)}`
  if (property.writeOnly) return 'string, hidden'
  return String(property.type)
}

function rangeOf({ minimum, maximum }: Definition): string {
  return maximum === undefined ? `at least ${minimum}` : `${minimum}–${maximum}`
}

function print(value: unknown): string {
  if (value === undefined) return ''
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
}

function examplesOf({ examples }: Definition): string {
  if (examples === undefined) return ''
  return ` For example ${examples.map(print).join(', ')}.`
}

const introduction = `# Configuration

<!-- Made by \`npm run generate\` from src/config/definition.ts. -->

One YAML file, named by \`--config\` or by the variable \`MOULIN_CONFIG\`. Every key has a default: without a file, Moulin
serves a SQLite database and a warehouse \`default\` in \`./moulin-data\` on \`127.0.0.1:8181\`.

\`\`\`yaml
# yaml-language-server: $schema=./node_modules/moulin/schema/config.schema.json
server:
  port: 8181
database:
  url: postgres://moulin:\${env:DB_PASSWORD}@db.internal:5432/moulin
warehouses:
  lake:
    location: s3://lake/warehouse
    storage:
      type: s3
      endpoint: https://minio.internal:9000
      pathStyleAccess: true
      accessKeyId: \${env:S3_ACCESS_KEY_ID}
      secretAccessKey: \${env:S3_SECRET_ACCESS_KEY}
  scratch:
    location: ./scratch
logging:
  level: info
\`\`\`

- **Paths** that are relative begin at the file's folder; without a file, at the working directory.
- **References**: \`\${env:NAME}\` in any string is replaced by that environment variable. One that is not set is an error.
  \`$\${\` stands for the two characters \`\${\`.
- **Durations** carry a unit: \`500ms\`, \`30s\`, \`5m\`, \`2h\`, \`7d\`. **Sizes** are bytes, or carry one: \`512KiB\`, \`64MiB\`, \`1GB\`.
- **Environment variables** override the file: \`MOULIN_\`, then the path with two underscores between its steps. Case and
  single underscores do not matter: \`MOULIN_SERVER__MAX_BODY_BYTES=1MiB\` sets \`server.maxBodyBytes\`. Warehouses go by
  their name, \`MOULIN_WAREHOUSES__EU_LAKE__LOCATION\` is that of \`eu-lake\`; one that the file does not have is added, in lower
  case. A list of strings is separated by commas; one of mappings needs the file.
- **Flags** (\`--host\`, \`--port\`) have the last word.
- **Errors** are told all at once, each with its key, its line or variable, what is expected and what to do; values are
  never shown. \`moulin config show\` prints what takes effect, secrets hidden; \`moulin doctor\` tries it out.
- \`moulin config schema\` prints the JSON Schema, which the package also has as \`schema/config.schema.json\`.`
