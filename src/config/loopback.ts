import { isIPv4 } from 'node:net'

/** Whether only this machine can reach a server that listens there: `localhost`, `127.0.0.0/8`, `::1`. */
export function isLoopback(host: string): boolean {
  const bare = host.toLowerCase().replace(/^\[(.*)\]$/, '$1')
  if (bare === 'localhost' || bare === '::1' || bare === '0:0:0:0:0:0:0:1') return true
  return isIPv4(bare) && bare.startsWith('127.')
}
