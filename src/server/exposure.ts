import type { ServerConfig } from '../config/config.ts'
import { isLoopback } from '../config/loopback.ts'

/** Throws when the host is not of this machine alone and `server.allowInsecure` is not set: nobody is authenticated yet. */
export function refuseExposure({ host, allowInsecure }: ServerConfig): void {
  if (isLoopback(host) || allowInsecure) return
  throw new Error(
    `server.host ${host} can be reached from other machines, and nobody is authenticated yet. Use 127.0.0.1, or set server.allowInsecure: true if the network protects the server.`,
  )
}
