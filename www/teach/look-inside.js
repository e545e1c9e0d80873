/** @import { Inside } from '../page/inside.js' */
/** @import { Live } from './live.js' */
/** @import { Project } from './project.js' */
/** @import { Training } from './training.js' */

/** Milliseconds between two looks while it trains, which is to get on meanwhile. */
const EVERY = 500

/** The network seen from within, at work on what is looked at: as it learns, and once it has learned. */
export class LookInside {
  #training
  #project
  #live
  #inside
  #last = 0

  /**
   * @param {{ training: Training, project: Project, live: Live, inside: Inside }} parts
   */
  constructor({ training, project, live, inside }) {
    this.#training = training
    this.#project = project
    this.#live = live
    this.#inside = inside
    training.addEventListener('step', () => performance.now() - this.#last > EVERY && this.look())
    // At its start there is nothing to see before the first step.
    training.addEventListener('state', () => training.state !== 'running' && this.look())
    inside.onOpen = () => this.look()
  }

  /** Whatever the training is at. Where nothing is looked at, it is the first of the pictures to learn from. */
  async look() {
    const { network } = this.#training
    if (!network || !this.#inside.isOpen) return
    this.#last = performance.now()
    const first = this.#project.trainable[0]?.pictures[0]
    const picture = this.#live.picture ?? (first === undefined ? undefined : await this.#project.blob(first))
    // It may have ended in between.
    if (picture && network === this.#training.network) this.#inside.show(network, picture)
  }
}
