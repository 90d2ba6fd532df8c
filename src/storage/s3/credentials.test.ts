import { describe, expect, it } from 'vitest'
import { type Credentials, RenewableCredentials } from './credentials.ts'

/** Gives other keys at each question, which last for so many milliseconds; undefined for ever. */
function rotating(lasting?: number) {
  const clock = { now: 1_000_000 }
  let asked = 0
  const credentials = new RenewableCredentials(
    async (): Promise<Credentials> => ({
      accessKeyId: `key-${++asked}`,
      secretAccessKey: 'secret',
      ...(lasting !== undefined && { expiration: new Date(clock.now + lasting) }),
    }),
    () => clock.now,
  )
  const key = async () => (await credentials.resolve()).accessKeyId
  return { clock, credentials, key, asked: () => asked }
}

describe('credentials that somebody else keeps', () => {
  it('are asked for once, also by many at a time, and again when they are to be renewed', async () => {
    const { credentials, key } = rotating()
    expect(await Promise.all([key(), key(), key()])).toEqual(['key-1', 'key-1', 'key-1'])
    await credentials.renew()
    expect(await Promise.all([key(), key()])).toEqual(['key-2', 'key-2'])
    expect(await key()).toBe('key-2')
  })

  it('are asked for again five minutes before they expire', async () => {
    const { clock, key } = rotating(3_600_000)
    expect(await key()).toBe('key-1')
    clock.now += 3_300_000
    expect(await key()).toBe('key-1')
    clock.now += 1
    expect(await Promise.all([key(), key()])).toEqual(['key-2', 'key-2'])
  })

  it('are not renewed that were issued a moment ago', async () => {
    const { clock, credentials, key } = rotating(3_600_000)
    await key()
    await credentials.renew()
    expect(await key()).toBe('key-1')
    clock.now += 10_000
    await credentials.renew()
    expect(await key()).toBe('key-2')
  })

  it('tell whether there are others than those that were refused', async () => {
    const { credentials, asked } = rotating()
    const first = await credentials.resolve()
    expect(await credentials.haveChanged(first)).toBe(true)
    // Somebody else has found the others meanwhile: nobody is asked again.
    expect(await credentials.haveChanged(first)).toBe(true)
    expect(asked()).toBe(2)
    const constant = { accessKeyId: 'key', secretAccessKey: 'secret' }
    const same = new RenewableCredentials(async () => constant)
    expect(await same.haveChanged({ ...constant })).toBe(false)
    expect(await same.haveChanged({ ...constant, sessionToken: 'other' })).toBe(true)
  })

  it('are asked for again after whoever keeps them could not answer', async () => {
    let asked = 0
    const credentials = new RenewableCredentials(async () => {
      if (++asked === 1) throw new Error('not now')
      return { accessKeyId: 'key', secretAccessKey: 'secret' }
    })
    await expect(credentials.resolve()).rejects.toThrow('not now')
    await credentials.renew()
    expect(await credentials.resolve()).toMatchObject({ accessKeyId: 'key' })
  })
})
