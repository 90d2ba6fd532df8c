/** `npm run generate`: writes the files that are made from the configuration's definition. Tests check that they are current. */
import { writeFileSync } from 'node:fs'
import { configSchema } from '../src/config/json-schema.ts'
import { configReference } from '../src/config/reference.ts'

const root = new URL('../', import.meta.url)
writeFileSync(new URL('schema/config.schema.json', root), `${JSON.stringify(configSchema(), null, 2)}\n`)
writeFileSync(new URL('docs/reference/configuration.md', root), configReference())
