import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FileAccessError } from '../../src/storage/file-io.ts'
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
      { outcome: expect.stringMatching(/failed|blocked/) },
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
