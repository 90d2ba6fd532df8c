import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { JsonError, type JsonValue, parseJson, printJson } from './exact-json.ts'
import { type Member, maxMemberBytes, readMembers } from './member-stream.ts'

const names = ['snapshots', 'properties', 'escaped "\\ \u00e9']

async function read(text: string, chunkSize = 7): Promise<Member[]> {
  const bytes = Buffer.from(text)
  const chunks = async function* () {
    for (let at = 0; at < bytes.length; at += chunkSize) yield bytes.subarray(at, at + chunkSize)
  }
  return (await Array.fromAsync(readMembers(chunks(), new Set(names)))).flat()
}

describe('the members of a JSON object', () => {
  it('are those of the parsed object, however the bytes are cut, arrays by elements', async () => {
    const json = fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string()), fc.jsonValue())
    await fc.assert(
      fc.asyncProperty(
        json,
        fc.integer({ min: 1, max: 40 }),
        fc.nat(3),
        async (object, chunkSize, indent) => {
          const text = JSON.stringify(object, undefined, indent)
          const expected = Object.entries(parseJson(text) as Record<string, JsonValue>)
            .filter(([name]) => names.includes(name))
            .flatMap(([name, value]): Member[] =>
              Array.isArray(value)
                ? value.map((each, index) => ({ name, index, value: each }))
                : [{ name, index: undefined, value }],
            )
          expect(await read(text, chunkSize)).toEqual(expected)
        },
      ),
    )
  })

  it('keep 64-bit integers, and white space does not matter', async () => {
    const text = ' \n{ "other" : [ [ ] , {"snapshots":[1]} ] , "snapshots" : [ 9007199254740993 , { } ] } \n'
    expect(printJson(await read(text))).toBe(
      '[{"name":"snapshots","index":0,"value":9007199254740993},{"name":"snapshots","index":1,"value":{}}]',
    )
  })

  it.each([
    '',
    ' ',
    '[]',
    '"snapshots"',
    '{',
    '{"snapshots":[1,2]',
    '{"snapshots":[1,2',
    '{"snapshots":"[1',
    '{"snapshots":[1,]}',
    '{"snapshots":[,1]}',
    '{"snapshots":[1,,2]}',
    '{"snapshots":[1 2]}',
    '{"snapshots":[1}',
    '{"snapshots":[1]2}',
    '{"snapshots":2[1]}',
    '{"snapshots":}',
    '{"snapshots":[1]}}',
    '{"snapshots":[1]},{}',
    '{"snapshots":[1]}{}',
    '{"snapshots":[1]}x',
    '{"other":[1}',
    '{"other":1,}',
    '{"other"}',
    '{other:1}',
    '{1:1}',
    '{"snapshots":[],"snapshots":[]}',
    `{"other":${'['.repeat(300)}${']'.repeat(300)}}`,
    `x{"snapshots":[]}`,
  ])('are not given of %s', async (text) => {
    await expect(read(text)).rejects.toThrow(JsonError)
  })
})

describe('what an object may cost', () => {
  const megabyte = Buffer.alloc(1024 * 1024, ' ')
  const read = (...chunks: Buffer[]) => Array.fromAsync(readMembers(chunked(chunks), new Set(names)))
  const chunked = async function* (chunks: Buffer[]) {
    yield* chunks
  }
  const megabytes = (count: number) => Array.from({ length: count }, () => megabyte)

  it.each([
    ['a member', '{"properties":{"a":"', 'a part of "properties" of more than 16777216 bytes'],
    ['an element', '{"snapshots":[1,{"a":"', 'a part of "snapshots" of more than 16777216 bytes'],
    ['a name', '{"', 'a name of more than 65536 bytes'],
    ['the white space before it', '', 'white space of more than 16777216 bytes'],
    ['the white space behind it', '{}', 'white space of more than 16777216 bytes'],
  ])('is bounded: %s', async (_, text, message) => {
    await expect(read(Buffer.from(text), ...megabytes(17))).rejects.toThrow(message)
    await expect(
      read(Buffer.concat([Buffer.from(text), ...megabytes(17), Buffer.from('"}]}')])),
    ).rejects.toThrow(JsonError)
  })

  it('has room for each element by itself, and for whatever nobody asks for', async () => {
    const element = Buffer.from(`${' '.repeat(maxMemberBytes - 3)}17,`)
    const text = [
      Buffer.from('{"schemas":"'),
      ...megabytes(40),
      Buffer.from('","snapshots":['),
      element,
      element,
    ]
    const members = (await read(...text, Buffer.from('1]}'))).flat()
    expect(members.map(({ value }) => String(value))).toEqual(['17', '17', '1'])
  })
})
