import { describe, expect, it } from 'vitest'
import { parseSecret, sign, whatIsForged } from './signature.ts'

const key = parseSecret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')!
const other = Buffer.alloc(32, 1)
const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek'
const now = 1_614_265_330_000
const body = Buffer.from('{"test": 2432232314}')

describe('a signature', () => {
  it('is the one that the libraries of Standard Webhooks make', () => {
    expect(sign([key], id, now + 999, body)).toEqual({
      'webhook-id': id,
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    })
  })

  it('is accepted while secrets change, on either side', () => {
    expect(whatIsForged([key], sign([other, key], id, now, body), now, body)).toBeUndefined()
    expect(whatIsForged([other, key], sign([key], id, now, body), now, body)).toBeUndefined()
    const asymmetric = sign([key], id, now, body)
    const both = { ...asymmetric, 'webhook-signature': `v1a,AAAA ${asymmetric['webhook-signature']}` }
    expect(whatIsForged([key], both, now, body)).toBeUndefined()
  })

  it('is refused for another key, id, time or body', () => {
    const headers = sign([key], id, now, body)
    const wrong = 'no signature in webhook-signature is right'
    expect(whatIsForged([other], headers, now, body)).toBe(wrong)
    expect(whatIsForged([key], { ...headers, 'webhook-id': 'msg' }, now, body)).toBe(wrong)
    expect(whatIsForged([key], { ...headers, 'webhook-timestamp': '1614265331' }, now, body)).toBe(wrong)
    expect(whatIsForged([key], headers, now, Buffer.from('{"test": 2432232315}'))).toBe(wrong)
    for (const given of ['', 'v1,', 'v1,AAAA', headers['webhook-signature'].replace('v1,', 'v1a,')]) {
      expect(whatIsForged([key], { ...headers, 'webhook-signature': given }, now, body)).toBe(wrong)
    }
  })

  it('is refused when it is more than five minutes old, or from the future', () => {
    const headers = sign([key], id, now, body)
    expect(whatIsForged([key], headers, now + 300_000, body)).toBeUndefined()
    expect(whatIsForged([key], headers, now - 300_000, body)).toBeUndefined()
    expect(whatIsForged([key], headers, now + 300_001, body)).toContain('webhook-timestamp')
    expect(whatIsForged([key], headers, now - 300_001, body)).toContain('webhook-timestamp')
  })

  it('is refused when a header is missing or cannot be what was signed', () => {
    const headers = sign([key], id, now, body)
    for (const name of Object.keys(headers)) {
      expect(whatIsForged([key], { ...headers, [name]: undefined }, now, body)).toContain('not all there')
      expect(whatIsForged([key], { ...headers, [name]: ['a', 'b'] }, now, body)).toContain('once each')
    }
    // The full stop parts what is signed: with one in the id, two messages could have one signature.
    const dotted = sign([key], 'a.1', now, body)
    expect(whatIsForged([key], dotted, now, body)).toContain('webhook-id')
    const late = { ...headers, 'webhook-timestamp': '1e9' }
    expect(whatIsForged([key], late, now, body)).toContain('webhook-timestamp')
  })
})

describe('a secret', () => {
  const written = (bytes: number) => `whsec_${Buffer.alloc(bytes, 5).toString('base64')}`

  it('has 24 to 64 bytes, in base64 behind whsec_', () => {
    expect(parseSecret(written(24))).toEqual(Buffer.alloc(24, 5))
    expect(parseSecret(written(64))).toHaveLength(64)
    for (const text of [written(23), written(65), '', 'whsec_', written(32).slice(6), `${written(32)}!`]) {
      expect(parseSecret(text)).toBeUndefined()
    }
    // Bits that base64 would drop in silence.
    expect(parseSecret(written(25).replace(/.==$/, 'B=='))).toBeUndefined()
  })
})
