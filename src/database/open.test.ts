import { describe, expect, it } from 'vitest'
import { DatabaseUrlError } from './errors.ts'
import { describeDatabase, openDatabase } from './open.ts'

describe('openDatabase', () => {
  it.each([
    'mysql://host/db',
    'sqlite:',
    'sqlite::memory:',
    'sqlite://relative/path.db',
    'sqlite:a\0b',
    'catalog.db',
    'postgres://user:hunter2@host:port/db',
  ])('refuses %j without repeating it', async (url) => {
    const error = await openDatabase(url).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(DatabaseUrlError)
    expect((error as Error).message).not.toContain('hunter2')
  })
})

describe('describeDatabase', () => {
  it('shows neither user, password nor parameters', () => {
    expect(describeDatabase('postgres://me:hunter2@db.example:5433/moulin?sslpassword=x')).toBe(
      'postgres://db.example:5433/moulin',
    )
    expect(describeDatabase('postgres://me:hunter2@host:port/db')).toBe('postgres://…')
    expect(describeDatabase('sqlite:data/x.db')).toBe('sqlite:data/x.db')
  })
})
