import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** An authority of certificates, in a folder. */
export class Authority {
  /** PEM file of its own certificate. */
  readonly certificate: string
  readonly #folder: string
  readonly #key: string

  constructor(folder: string, name: string) {
    this.#folder = folder
    this.#key = join(folder, `${name}.key`)
    this.certificate = join(folder, `${name}.pem`)
    openssl(
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`],
      ...['-keyout', this.#key, '-out', this.certificate],
    )
  }

  /** Files of a key and its certificate, for this machine, and of both in one. */
  issue(name: string): { readonly key: string; readonly cert: string; readonly both: string } {
    const file = (ending: string) => join(this.#folder, `${name}.${ending}`)
    const [key, request, cert, both] = ['key', 'csr', 'pem', 'both'].map(file) as [
      string,
      string,
      string,
      string,
    ]
    const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1']
    openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', request, ...subject)
    openssl(
      ...['x509', '-req', '-in', request, '-days', '2', '-copy_extensions', 'copy', '-out', cert],
      ...['-CA', this.certificate, '-CAkey', this.#key, '-CAcreateserial'],
    )
    writeFileSync(both, readFileSync(key, 'utf8') + readFileSync(cert, 'utf8'))
    return { key, cert, both }
  }
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' })
}
