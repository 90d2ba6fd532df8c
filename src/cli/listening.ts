/** What to do when a host or port cannot be had; undefined for any other error. */
export function explainListening(
  { code, syscall }: NodeJS.ErrnoException,
  host: string,
  port: number,
): string | undefined {
  switch (code) {
    case 'EADDRINUSE':
      return `Port ${port} of ${host} is in use by another program. Stop that one, or take another port: --port 8282, or --port 0 for any that is free.`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return syscall === 'listen' || syscall === 'getaddrinfo'
        ? `${host} is no address of this machine. Set server.host to one that is, for example 127.0.0.1.`
        : undefined
    case 'EACCES':
      return syscall === 'listen'
        ? `This user may not listen on port ${port}. Take one above 1023, for example --port 8181.`
        : undefined
    default:
      return undefined
  }
}
