import { byId, make } from './dom.js'
import { bytes, whole } from './format.js'
import { MODELS, requestedModel } from './models.js'

/** @import { Classifier } from '../client/classifier.js' */
/** @import { Progress } from '../client/fetch.js' */

/** The network that answers: its facts, its layers, and how far it is loaded. */
export class ModelPanel {
  #loading = byId('loading', HTMLElement)
  #loadingText = byId('loading-text', HTMLElement)
  #loadingBar = byId('loading-bar', HTMLProgressElement)
  #facts = byId('facts', HTMLDListElement)
  #summary = byId('summary', HTMLElement)
  #choice = byId('models', HTMLSelectElement)

  /**
   * @param {(url: URL) => void} onChoice one of the shipped networks was chosen
   */
  constructor(onChoice) {
    this.#choice.replaceChildren(...MODELS.map(({ id, name }) => new Option(name, id)))
    this.#choice.addEventListener('change', () => {
      const model = MODELS.find(({ id }) => id === this.#choice.value)
      if (model) onChoice(model.url)
    })
    this.#choose(requestedModel().href)
  }

  /**
   * A network that is not one of those shipped leaves the choice empty.
   *
   * @param {string} address
   */
  #choose(address) {
    this.#choice.value = MODELS.find(({ url }) => url.href === address)?.id ?? ''
    this.#choice.hidden = MODELS.length < 2
  }

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
   * @param {URL | File} source where it came from
   */
  show(classifier, source) {
    this.#choose(source instanceof URL ? source.href : '')
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
