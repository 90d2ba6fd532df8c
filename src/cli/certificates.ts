/** `moulin certificates …`: takes the certificates out of a server, and checks them without one. */
import { createReadStream } from 'node:fs'
import { text } from 'node:stream/consumers'
import type { SealedCertificate } from '../purge/certificate/certificate.ts'
import { type Expected, verifyCertificates } from '../purge/certificate/verify.ts'
import { CommandError } from './failure.ts'
import { askServer, type ManagementOptions } from './management.ts'
import { styleFor } from './style.ts'

/** Prints the certificates of a warehouse, one with its hash a line. */
export async function exportCertificates(
  options: ManagementOptions & { readonly warehouse: string; readonly after: string },
): Promise<void> {
  let after: string | undefined = options.after
  while (after !== undefined) {
    const query: string = new URLSearchParams({ warehouse: options.warehouse, after }).toString()
    const page = (await askServer(options, 'GET', `certificates?${query}`)) as {
      readonly certificates: readonly SealedCertificate[]
      readonly next?: number
    }
    for (const sealed of page.certificates) console.log(JSON.stringify(sealed))
    after = page.next?.toString()
  }
}

/** Checks an export, of a file or of standard input (`-`). Exit code 1 when something is wrong with it. */
export async function verifyExport(file: string, expected: Expected = {}): Promise<void> {
  const style = styleFor(process.stdout)
  const { chains, problems } = verifyCertificates((await content(file)).split('\n'), expected)
  for (const { warehouse, first, last, head, count } of chains) {
    console.log(`${warehouse}: ${count} certificates, ${first} to ${last}`)
    console.log(`  head ${head}`)
    if (first > 1) console.log(`  begins after certificate ${first - 1}, which is not in this export`)
  }
  for (const { line, message } of problems) console.log(`${style.red('✗')} line ${line}: ${message}`)
  if (problems.length > 0) {
    process.exitCode = 1
    return
  }
  if (chains.length === 0) throw new CommandError('There is no certificate in this export.')
  console.log(`${style.green('✓')} none was changed, none is missing between the first and the last`)
  if (expected.head !== undefined) return
  console.log(
    style.dim(
      '  Compare the head with one that you have noted: that the end was not cut off, only that shows.',
    ),
  )
}

async function content(file: string): Promise<string> {
  try {
    return await text(file === '-' ? process.stdin : createReadStream(file))
  } catch (error) {
    throw new CommandError(`The export cannot be read: ${(error as Error).message}`, { cause: error })
  }
}
