import { definition } from './definition.ts'

/** The JSON Schema of the configuration file, for editors; `schema/config.schema.json` holds it. */
export function configSchema(): object {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Configuration of Moulin',
    ...definition,
  }
}
