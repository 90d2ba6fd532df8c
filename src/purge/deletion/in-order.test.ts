import fc from 'fast-check'
import { expect, it } from 'vitest'
import { InOrder } from './in-order.ts'

it('runs actions in the order of their turns, whenever they come', () => {
  const orders = fc.nat({ max: 30 }).chain((count) => {
    const turns = Array.from({ length: count }, (_, index) => index)
    return fc.shuffledSubarray(turns, { minLength: count, maxLength: count })
  })
  fc.assert(
    fc.property(orders, (order) => {
      const inOrder = new InOrder()
      const turns = order.map(() => inOrder.next())
      const ran: number[] = []
      for (const turn of order) turns[turn]!(() => ran.push(turn))
      expect(ran).toEqual(order.toSorted((a, b) => a - b))
    }),
  )
})

it('waits for a turn whose action does not come', () => {
  const inOrder = new InOrder()
  const [first, second, third] = [inOrder.next(), inOrder.next(), inOrder.next()]
  const ran: number[] = []
  third(() => ran.push(3))
  first(() => ran.push(1))
  expect(ran).toEqual([1])
  second(() => ran.push(2))
  expect(ran).toEqual([1, 2, 3])
})
