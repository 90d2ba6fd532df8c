import type { Clock } from '../purge/clock.ts'
import { type Erasure, progressLine } from './purge-progress.ts'
import { type PurgeBody, stateText } from './purge-text.ts'
import type { Style } from './style.ts'
import type { Watching } from './watch.ts'

/** Milliseconds after which a line is printed where there is no terminal, and tenths of the files. */
const pause = 10_000
const steps = 10

/** A line that is drawn over and over on a terminal; elsewhere one now and then. */
export class WatchOutput implements Watching {
  readonly #stream: Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'write'>
  readonly #style: Style
  readonly #clock: Clock
  #printed: { readonly at: number; readonly state: string; readonly step: number } | undefined
  #isInterrupted = false

  constructor(stream: Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'write'>, style: Style, clock: Clock) {
    this.#stream = stream
    this.#style = style
    this.#clock = clock
  }

  progress(purge: PurgeBody, erasure: Erasure): void {
    if (this.#stream.isTTY) this.#draw(this.#line(purge, erasure))
    else if (this.#isDue(purge, erasure)) this.#stream.write(`${this.#line(purge, erasure)}\n`)
    this.#isInterrupted = false
  }

  interrupted(reason: string): void {
    if (this.#isInterrupted) return
    this.#isInterrupted = true
    if (this.#stream.isTTY) this.#draw('')
    this.#stream.write(`${this.#style.yellow('!')} ${reason} It is tried again for a minute.\n`)
  }

  ended(purge: PurgeBody, erasure: Erasure): void {
    if (this.#stream.isTTY) this.#draw('')
    this.#stream.write(`${this.#line(purge, erasure)}\n`)
  }

  #draw(line: string): void {
    this.#stream.write(`\r\x1b[2K${line}`)
  }

  #line(purge: PurgeBody, erasure: Erasure): string {
    const state = stateText(purge, this.#style)
    // The last column is left free: a line that fills it goes on in the next row.
    const room = this.#stream.isTTY ? (this.#stream.columns || 80) - stateText(purge).length - 2 : undefined
    return `${state} ${progressLine(erasure, purge['expected-files'], room)}`
  }

  #isDue({ state, 'expected-files': expected = 0 }: PurgeBody, { files }: Erasure): boolean {
    const at = this.#clock.now()
    const step = expected === 0 ? 0 : Math.floor((files / expected) * steps)
    const last = this.#printed
    const isDue =
      last === undefined ||
      this.#isInterrupted ||
      state !== last.state ||
      step > last.step ||
      at - last.at >= pause
    if (isDue) this.#printed = { at, state, step }
    return isDue
  }
}
