import { download } from '../elements/support/download.js'
import { byId } from '../page/dom.js'
import { bytes } from '../page/format.js'

/** @import { Project } from './project.js' */
/** @import { AnyStore as Store } from './store.js' */
/** @import { Training } from './training.js' */

/** The share of its room from which on the page warns. */
const NEARLY_FULL = 0.8
/** Bytes of a picture in the engine while it trains: 64 x 64, three channels, with room for the first layers' work. */
const TRAINED_BYTES = 64 * 64 * 3 * 4
/** Bytes that a tab on a phone can be expected to have. */
const MEMORY = 400 * 2 ** 20

/** Keeping: the model and the project as files, the room in this browser, and deleting all of it. */
export class KeepPanel {
  #model = byId('save-model', HTMLButtonElement)
  #storage = byId('storage', HTMLElement)
  #room = byId('room', HTMLElement)
  #confirm = byId('confirm-delete', HTMLElement)
  #project
  #training
  #onError

  /**
   * @param {object} parts
   * @param {Project} parts.project
   * @param {Training} parts.training
   * @param {Store} parts.store
   * @param {(file: File) => void} parts.onOpen a project's zip was chosen
   * @param {(thrown: unknown) => void} parts.onError
   */
  constructor({ project, training, store, onOpen, onError }) {
    this.#project = project
    this.#training = training
    this.#onError = onError
    this.#model.addEventListener('click', () => training.result && download(training.result.model, 'model.safetensors'))
    this.#whenClicked('save-project', () => this.#saveProject())
    const file = byId('project-file', HTMLInputElement)
    this.#whenClicked('open-project', () => file.click())
    file.addEventListener('change', () => {
      const chosen = file.files?.[0]
      file.value = ''
      if (chosen) onOpen(chosen)
    })
    this.#whenClicked('delete-all', () => this.#ask(true))
    this.#whenClicked('delete-no', () => this.#ask(false))
    this.#whenClicked('delete-yes', () => this.#deleteAll(store))
    training.addEventListener('state', () => this.show())
    for (const event of ['classes', 'pictures']) project.addEventListener(event, () => this.show())
    this.show()
  }

  /**
   * @param {string} id
   * @param {() => unknown} act
   */
  #whenClicked(id, act) {
    byId(id, HTMLButtonElement).addEventListener('click', async () => {
      try {
        await act()
      } catch (thrown) {
        this.#onError(thrown)
      }
    })
  }

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #soon

  /** Tells how much is kept; a burst of pictures asks but once. */
  show() {
    this.#model.disabled = !this.#training.result
    clearTimeout(this.#soon)
    this.#soon = setTimeout(() => this.#measure().catch(() => {}), 300)
  }

  async #measure() {
    const { usage = 0, quota = 0 } = (await navigator.storage?.estimate?.()) ?? {}
    const persisted = await navigator.storage?.persisted?.()
    this.#storage.textContent =
      `${bytes(usage)} of ${bytes(quota)} used. ` +
      (persisted
        ? 'The browser keeps it until you delete it.'
        : 'The browser may delete it when room gets short: save the project to be sure.')
    const full = quota > 0 && usage > NEARLY_FULL * quota
    const heavy = this.#project.size * TRAINED_BYTES > MEMORY
    this.#room.hidden = !full && !heavy
    this.#room.textContent = full
      ? 'Nearly all of this browser’s room is used. Save the project, then delete pictures that are not needed.'
      : 'These are very many pictures: training may need more memory than this device has. Save the project first.'
  }

  /** Asks the browser not to delete anything by itself, once there is something to keep. */
  async persist() {
    if (this.#project.size && !(await navigator.storage?.persisted?.())) await navigator.storage?.persist?.()
    this.show()
  }

  async #saveProject() {
    const { packProject } = await import('./archive.js')
    download(await packProject(this.#project, this.#training.result?.model), 'convlet-project.zip')
  }

  /** @param {boolean} asking */
  #ask(asking) {
    this.#confirm.hidden = !asking
    byId(asking ? 'delete-no' : 'delete-all', HTMLButtonElement).focus()
  }

  /** @param {Store} store */
  async #deleteAll(store) {
    this.#training.stop()
    await store.deleteAll()
    // A fresh page: nothing of it is in memory either.
    location.replace(`${location.pathname}#deleted`)
    location.reload()
  }
}
