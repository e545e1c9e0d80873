import { byId, make } from './dom.js'
import { bytes, whole } from './format.js'

/** @import { Classifier } from '../client/classifier.js' */
/** @import { Progress } from '../client/fetch.js' */

/** The network that answers: its facts, its layers, and how far it is loaded. */
export class ModelPanel {
  #loading = byId('loading', HTMLElement)
  #loadingText = byId('loading-text', HTMLElement)
  #loadingBar = byId('loading-bar', HTMLProgressElement)
  #facts = byId('facts', HTMLDListElement)
  #summary = byId('summary', HTMLElement)

  /**
   * @param {Progress} progress
   */
  showProgress({ file, loaded, total, progress }) {
    this.#loading.hidden = false
    const amount = total === undefined ? bytes(loaded) : `${bytes(loaded)} of ${bytes(total)}`
    this.#loadingText.textContent = `Loading ${file}: ${amount}`
    if (progress === undefined) this.#loadingBar.removeAttribute('value')
    else this.#loadingBar.value = progress
  }

  /** The load ended, well or not. */
  endProgress() {
    this.#loading.hidden = true
  }

  /**
   * @param {Classifier} classifier
   */
  show(classifier) {
    const { height, width, channels } = classifier.input
    this.#facts.replaceChildren(
      fact('File', `${classifier.name}, ${bytes(classifier.size)}`),
      fact('Parameters', whole(classifier.parameters)),
      fact('Sees', `${width} × ${height} pixels, ${channels === 1 ? 'grey' : 'colour'}`),
      fact('Tells apart', classifier.labels.join(', ')),
    )
    this.#summary.textContent = classifier.summary
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
const fact = (name, value) => make('div', '', make('dt', '', name), make('dd', '', value))
