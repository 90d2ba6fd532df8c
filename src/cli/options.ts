import { type Command, InvalidArgumentError, Option } from 'commander'
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

/** For commands that ask a running server. */
export function withServerOptions(command: Command): Command {
  const url = new Option('--url <url>', 'the server')
    .env('MOULIN_URL')
    .default('http://127.0.0.1:8181')
    .argParser(parseUrl)
  return command.addOption(url).option('--verbose', 'show stacks of errors')
}

function parseUrl(text: string): string {
  if (/^https?:\/\//.test(text) && URL.canParse(text)) return text
  throw new InvalidArgumentError('It is no URL of a server, such as http://127.0.0.1:8181.')
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
