import { formatCount, type Style } from '../style.ts'

const width = 28

/** A line that is drawn over and over on a terminal, and only once, at its end, elsewhere. */
export class ProgressLine {
  readonly #stream: NodeJS.WriteStream
  readonly #style: Style
  #drawnAt = 0

  constructor(stream: NodeJS.WriteStream, style: Style) {
    this.#stream = stream
    this.#style = style
  }

  /** @param note What is going on at this moment. */
  update(done: number, total: number, note: string): void {
    if (!this.#stream.isTTY || performance.now() - this.#drawnAt < 40) return
    this.#drawnAt = performance.now()
    this.#stream.write(`\r\x1b[2K${this.#line(done, total, note)}`)
  }

  /** Draws the line for the last time. */
  finish(done: number, total: number, note: string): void {
    if (this.#stream.isTTY) this.#stream.write('\r\x1b[2K')
    this.#stream.write(`${this.#line(done, total, note)}\n`)
  }

  #line(done: number, total: number, note: string): string {
    const share = total === 0 ? 1 : Math.min(1, done / total)
    const filled = Math.round(share * width)
    const bar = this.#style.cyan('█'.repeat(filled)) + this.#style.dim('░'.repeat(width - filled))
    const counts = `${formatCount(done).padStart(formatCount(total).length)} / ${formatCount(total)}`
    return `  ${bar}  ${counts} files  ${this.#style.dim(note)}`
  }
}
