import { describeConfig } from '../config/describe.ts'
import { configSchema } from '../config/json-schema.ts'
import { type ConfigOptions, configOf } from './options.ts'

/** `moulin config show` */
export async function showConfig(options: ConfigOptions): Promise<void> {
  const { stringify } = await import('yaml')
  process.stdout.write(stringify(describeConfig(await configOf(options))))
}

/** `moulin config schema` */
export function printSchema(): void {
  process.stdout.write(`${JSON.stringify(configSchema(), null, 2)}\n`)
}
