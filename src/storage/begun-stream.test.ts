import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { BegunStream } from './begun-stream.ts'

/** Chunks of ten bytes, the last of which is followed by an error where there is one. */
function source(chunks: number, error?: Error) {
  const seen = { read: 0, closed: false }
  async function* stream() {
    try {
      for (; seen.read < chunks; seen.read++) yield Buffer.alloc(10, seen.read)
      if (error) throw error
    } finally {
      seen.closed = true
    }
  }
  return { seen, stream }
}

async function read(begun: BegunStream): Promise<number[]> {
  return (await Array.fromAsync(begun.chunks())).map((chunk) => chunk[0]!)
}

describe('a stream that is begun before it is read', () => {
  it('holds as much as it was told, and gives everything in order', async () => {
    const { seen, stream } = source(6)
    const begun = new BegunStream(stream(), 25)
    for (let turns = 0; turns < 5; turns++) await turn()
    // Suspended behind the third chunk.
    expect(seen).toEqual({ read: 2, closed: false })
    expect(await read(begun)).toEqual([0, 1, 2, 3, 4, 5])
    await begun.close()
    expect(seen.closed).toBe(true)
  })

  it('may be shorter than what is read ahead, or empty', async () => {
    expect(await read(new BegunStream(source(2).stream(), 1_000))).toEqual([0, 1])
    expect(await read(new BegunStream(source(0).stream(), 1_000))).toEqual([])
  })

  it('lets go of its source, unread or half read', async () => {
    for (const chunks of [0, 1, 4]) {
      const { seen, stream } = source(6)
      const begun = new BegunStream(stream(), 25)
      const reading = begun.chunks()
      for (let each = 0; each < chunks; each++) await reading.next()
      await begun.close()
      expect(seen.closed).toBe(true)
    }
  })

  it.each([1, 4])(
    'throws what its source throws after %i chunks when it is read, and not before',
    async (count) => {
      const begun = new BegunStream(source(count, new Error('broken')).stream(), 25)
      await turn()
      await expect(read(begun)).rejects.toThrow('broken')
      await begun.close()
      const unread = new BegunStream(source(count, new Error('broken')).stream(), 25)
      await unread.close()
    },
  )
})
