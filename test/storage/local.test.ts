import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FileAccessError, FileNotFoundError, InvalidLocationError } from '../../src/storage/file-io.ts'
import { LocalFileIO } from '../../src/storage/local/local-file-io.ts'
import { fileIOContract } from '../../src/testing/file-io-contract.ts'

describe('local files', () => {
  fileIOContract({ describe, it }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'moulin-files-'))
    return {
      io: new LocalFileIO([folder]),
      root: `file://${folder}/root`,
      close: async () => rmSync(folder, { recursive: true, force: true }),
    }
  })
})

describe('confinement of local files', () => {
  let folder: string
  let io: LocalFileIO
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'moulin-files-'))
    mkdirSync(join(folder, 'in/side'), { recursive: true })
    mkdirSync(join(folder, 'in2'))
    mkdirSync(join(folder, 'out'))
    writeFileSync(join(folder, 'out/precious'), 'x')
    writeFileSync(join(folder, 'in2/precious'), 'x')
    io = new LocalFileIO([join(folder, 'in')])
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it.each(['out/precious', 'in/../out/precious', 'in/side/../../out/precious', 'in2/precious'])(
    'does not read, write, list or delete %s',
    async (path) => {
      const location = `${folder}/${path}`
      await expect(io.read(location)).rejects.toThrow(FileAccessError)
      await expect(io.write(location, Buffer.from('y'))).rejects.toThrow(/allowedLocations/)
      expect(await io.deleteFiles([location])).toMatchObject([
        { outcome: 'blocked', code: 'OutsideAllowedLocations' },
      ])
      expect(readFileSync(location, 'utf8')).toBe('x')
    },
  )

  it('does not follow a symbolic link out of its roots, but removes the link itself', async () => {
    symlinkSync(join(folder, 'out'), join(folder, 'in/link'))
    symlinkSync(join(folder, 'out/precious'), join(folder, 'in/file'))
    expect(await io.deleteFiles([`${folder}/in/link/precious`])).toMatchObject([{ outcome: 'blocked' }])
    await expect(io.write(`${folder}/in/link/new`, Buffer.from('y'))).rejects.toThrow(FileAccessError)
    const found: string[] = []
    for await (const file of io.list(`${folder}/in`)) found.push(file.location)
    expect(found.toSorted()).toEqual([`file://${folder}/in/file`, `file://${folder}/in/link`])
    expect(await io.deleteFiles([`${folder}/in/file`])).toEqual([{ outcome: 'deleted' }])
    expect(existsSync(join(folder, 'out/precious'))).toBe(true)
  })

  it('follows no link that stands at the end of a location', async () => {
    symlinkSync(join(folder, 'out'), join(folder, 'in/link'))
    symlinkSync(join(folder, 'out/precious'), join(folder, 'in/file'))
    await expect(io.read(`${folder}/in/file`)).rejects.toThrow(FileAccessError)
    await expect(Array.fromAsync(io.readStream(`${folder}/in/file`))).rejects.toThrow(FileAccessError)
    await expect(Array.fromAsync(io.list(`${folder}/in/link`))).rejects.toThrow(FileAccessError)
    rmSync(join(folder, 'out/precious'))
    await expect(io.removeEmptyDirectories(`${folder}/in/link`)).rejects.toThrow(FileAccessError)
    await io.removeEmptyDirectories(`${folder}/in`)
    expect(existsSync(join(folder, 'out'))).toBe(true)
  })

  it('notices that a directory has become a link since it last looked', async () => {
    await io.write(`${folder}/in/side/precious`, Buffer.from('y'))
    rmSync(join(folder, 'in/side'), { recursive: true })
    symlinkSync(join(folder, 'out'), join(folder, 'in/side'))
    expect(await io.deleteFiles([`${folder}/in/side/precious`])).toMatchObject([{ outcome: 'blocked' }])
    expect(existsSync(join(folder, 'out/precious'))).toBe(true)
  })

  it('serves a root that is reached through a link, and links that stay inside', async () => {
    symlinkSync(join(folder, 'in'), join(folder, 'alias'))
    symlinkSync(join(folder, 'in/side'), join(folder, 'in/inner'))
    const through = new LocalFileIO([join(folder, 'alias')])
    await through.write(`${folder}/alias/inner/a`, Buffer.from('x'))
    expect(String(await through.read(`${folder}/alias/side/a`))).toBe('x')
    expect(await through.deleteFiles([`${folder}/alias/inner/a`])).toEqual([{ outcome: 'deleted' }])
    expect(existsSync(join(folder, 'in/side/a'))).toBe(false)
  })

  it('says what the file system forbids: blocked', async () => {
    // Permissions do not bind root; the kernel's own files do.
    const root = process.getuid?.() === 0
    const location = root ? '/proc/version' : `${folder}/in/side/file`
    if (!root) {
      writeFileSync(location, 'x')
      chmodSync(join(folder, 'in/side'), 0o555)
    }
    const outcomes = await new LocalFileIO([dirname(location)]).deleteFiles([location])
    if (!root) chmodSync(join(folder, 'in/side'), 0o755)
    expect(outcomes).toMatchObject([{ outcome: 'blocked', code: expect.stringMatching(/^E(PERM|ACCES)$/) }])
  })

  it('tells a directory from a file, and a name that cannot be from one that is not there', async () => {
    writeFileSync(join(folder, 'in/file'), 'x')
    await expect(io.read(`${folder}/in/side`)).rejects.toThrow(FileNotFoundError)
    expect(await io.stat(`${folder}/in/side`)).toBeUndefined()
    await expect(io.write(`${folder}/in/side`, Buffer.from('y'))).rejects.toThrow(FileAccessError)
    await expect(io.write(`${folder}/in/file/below`, Buffer.from('y'))).rejects.toThrow(FileAccessError)
    const long = `${folder}/in/${'x'.repeat(300)}`
    await expect(io.read(long)).rejects.toThrow(FileNotFoundError)
    await expect(io.write(long, Buffer.from('y'))).rejects.toThrow(InvalidLocationError)
    await expect(io.write(`${long}/file`, Buffer.from('y'))).rejects.toThrow(InvalidLocationError)
    expect(readdirSync(join(folder, 'in')).toSorted()).toEqual(['file', 'side'])
  })

  it.each(['file', 'directory'])(
    'names a %s whose name is not UTF-8, which nothing can delete',
    async (kind) => {
      const path = Buffer.concat([Buffer.from(`${folder}/in/caf`), Buffer.from([0xe9])])
      if (kind === 'file') writeFileSync(path, 'x')
      else mkdirSync(path)
      await expect(Array.fromAsync(io.list(`${folder}/in`))).rejects.toThrow(/not UTF-8.*in\/caf\ufffd/)
      rmSync(path, { recursive: true })
      writeFileSync(`${folder}/in/caf\ufffd`, 'x')
      const listed = (await Array.fromAsync(io.list(`${folder}/in`))).map(({ location }) => location)
      expect(listed).toContain(`file://${folder}/in/caf\ufffd`)
      rmSync(`${folder}/in/caf\ufffd`)
    },
  )

  it("takes Hadoop's checksum file along", async () => {
    writeFileSync(join(folder, 'in/part.parquet'), 'x')
    writeFileSync(join(folder, 'in/.part.parquet.crc'), 'x')
    expect(await io.deleteFiles([`file:${folder}/in/part.parquet`])).toEqual([{ outcome: 'deleted' }])
    expect(existsSync(join(folder, 'in/.part.parquet.crc'))).toBe(false)
  })

  it('says absent of what is not there, and failed of a directory', async () => {
    const outcomes = await io.deleteFiles([
      `${folder}/in/none`,
      `${folder}/in/none/below`,
      `${folder}/in/${'x'.repeat(300)}`,
    ])
    expect(outcomes).toEqual([{ outcome: 'absent' }, { outcome: 'absent' }, { outcome: 'absent' }])
    expect(await io.deleteFiles([`${folder}/in/side`])).toMatchObject([
      { outcome: expect.stringMatching(/failed|blocked/), code: expect.stringMatching(/^E(ISDIR|PERM)$/) },
    ])
    expect(existsSync(join(folder, 'in/side'))).toBe(true)
  })

  it('removes empty directories, and no other', async () => {
    mkdirSync(join(folder, 'in/a/b/c'), { recursive: true })
    mkdirSync(join(folder, 'in/d/e'), { recursive: true })
    writeFileSync(join(folder, 'in/d/file'), 'x')
    await io.removeEmptyDirectories(`${folder}/in`)
    expect(existsSync(join(folder, 'in/a'))).toBe(false)
    expect(existsSync(join(folder, 'in/d/e'))).toBe(false)
    expect(existsSync(join(folder, 'in/d/file'))).toBe(true)
  })
})
