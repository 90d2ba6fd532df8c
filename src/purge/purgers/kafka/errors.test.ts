import { expect, it } from 'vitest'
import { kafkaReason } from './errors.ts'

it('is what the innermost errors say, each once', () => {
  const refused = new Error('connect ECONNREFUSED', { cause: new Error('no listener') })
  const tried = new AggregateError([refused, new Error('bad password'), refused], 'failed 3 times')
  expect(kafkaReason(new Error('not published', { cause: tried }))).toBe(
    'not published: no listener: bad password',
  )
})

it('is the error itself when it has no other', () => {
  expect(kafkaReason(new Error('alone'))).toBe('alone')
  expect(kafkaReason('text')).toBe('text')
})
