import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type PurgeEvent, type PurgeState, statesWith, transitions, unfinished } from './states.ts'

const states = Object.keys(transitions) as PurgeState[]
const events = Object.keys(transitions.pending) as PurgeEvent[]

describe('the states of a purge', () => {
  it('are those that SPEC.md shows', () => {
    const spec = readFileSync(new URL('./SPEC.md', import.meta.url), 'utf8')
    const rows = spec
      .split('\n')
      .filter((line) => line.startsWith('| '))
      .map((line) =>
        line
          .slice(1, -1)
          .split('|')
          .map((cell) => cell.trim().replaceAll('*', '')),
      )
    const head = rows.findIndex(([first]) => first === 'state')
    expect(rows[head]!.slice(1)).toEqual(events)
    const shown = rows.slice(head + 1, head + 1 + states.length)
    expect(shown).toEqual(
      states.map((state) => [state, ...events.map((event) => transitions[state][event] ?? '')]),
    )
  })

  it('can all be reached, and every unfinished one can end', () => {
    const reached = new Set<string>(['pending', 'retained'])
    for (let size = 0; size !== reached.size; ) {
      size = reached.size
      for (const state of [...reached] as PurgeState[])
        for (const event of events) {
          const destination = transitions[state]?.[event]
          if (destination !== undefined && destination !== 'origin' && destination !== 'gone')
            reached.add(destination)
        }
    }
    expect([...reached].toSorted()).toEqual(states.toSorted())
    for (const state of unfinished) {
      expect(Object.values(transitions[state]).some((destination) => destination !== undefined)).toBe(true)
    }
  })

  it('never take a purge that may have deleted a file out of the ledger unfinished', () => {
    for (const event of ['cancel', 'undrop'] as const) {
      expect(statesWith(event)).toEqual(['retained', 'pending', 'held'])
    }
    expect(statesWith('prune')).toEqual(['succeeded', 'cancelled'])
  })
})
