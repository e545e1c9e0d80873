/** @import { Piece } from './tutor.js' */

/** Estimates the time that a training has left. */
export class Clock {
  /** When the first step was reported, and how much of the whole was done then. @type {{ at: number, done: number } | undefined} */
  #first
  #epochs

  /** @param {number} epochs */
  constructor(epochs) {
    this.#epochs = epochs
  }

  /** @param {Pick<Piece, 'phase' | 'epoch' | 'done' | 'total'>} at */
  secondsLeft({ phase, epoch, done, total }) {
    if (phase !== 'step') return undefined
    const share = (epoch + done / total) / this.#epochs
    this.#first ??= { at: performance.now(), done: share }
    const gone = share - this.#first.done
    return gone > 0 ? ((performance.now() - this.#first.at) / 1000) * ((1 - share) / gone) : undefined
  }
}
