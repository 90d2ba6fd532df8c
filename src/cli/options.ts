import { type Command, InvalidArgumentError } from 'commander'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'

/** What commands that read the configuration have in common. */
export interface ConfigOptions {
  readonly config?: string
  readonly verbose?: boolean
}

export function withConfigOptions(command: Command): Command {
  return command
    .option('-c, --config <file>', 'YAML file with the configuration (default: $MOULIN_CONFIG, else none)')
    .option('--verbose', 'show stacks of errors')
}

/** Argument parser for commander: a port. */
export function parsePort(text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65535) {
    throw new InvalidArgumentError('Expected an integer from 0 to 65535; 0 lets the system choose.')
  }
  return port
}

export async function configOf(
  options: ConfigOptions & { readonly host?: string; readonly port?: number },
): Promise<Config> {
  const flags = (['host', 'port'] as const).flatMap((name) =>
    options[name] === undefined ? [] : [{ key: ['server', name], value: options[name], flag: `--${name}` }],
  )
  return await loadConfig({ file: options.config, flags })
}
