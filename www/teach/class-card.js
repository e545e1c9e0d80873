import { watchHold } from '../elements/support/hold.js'
import { make } from '../page/dom.js'
import { whole } from '../page/format.js'
import { Gallery } from './gallery.js'

/** @import { PictureClass } from './project.js' */

/**
 * What can be done with a class; `main.js` does it.
 *
 * @typedef {object} ClassActions
 * @property {(id: number, name: string) => Promise<boolean>} rename
 * @property {(id: number, by: number) => void} reorder
 * @property {(id: number) => void} removeClass
 * @property {(id: number, onPicture: (count: number) => void) => Promise<void>} record
 * @property {() => void} stopRecording
 * @property {(id: number, files: File[]) => void} addFiles
 * @property {(ids: number[]) => void} removePictures
 * @property {(ids: number[], classId: number) => void} movePictures
 * @property {(id: number) => void} open
 * @property {(id: number) => Promise<Blob | undefined>} load
 * @property {() => readonly Readonly<PictureClass>[]} classes
 */

/** One class: its name, how many pictures, the ways to add to them, and the pictures. */
export class ClassCard {
  #name = make('input', 'class-name')
  #count = make('p', 'class-count')
  #record = make('button', 'record', 'Hold to record')
  #chosen = make('div', 'chosen button-row')
  #move = make('select', '')
  #gallery
  #actions
  /** @type {Readonly<PictureClass>} */
  #shown

  /**
   * @param {Readonly<PictureClass>} shown
   * @param {ClassActions} actions
   */
  constructor(shown, actions) {
    this.#shown = shown
    this.#actions = actions
    this.#gallery = new Gallery(shown.name, {
      load: actions.load,
      onSelect: (ids) => this.#showChosen(ids),
      onOpen: actions.open,
      onRemove: actions.removePictures,
    })
    this.element = make(
      'li',
      'class-card',
      make('div', 'class-head', this.#name, this.#count, this.#menu()),
      make('div', 'button-row', this.#record, this.#filesButton()),
      this.#gallery.element,
      this.#chosen,
    )
    this.element.dataset.classId = String(shown.id)
    this.#chosen.hidden = true
    this.#watchName()
    this.#watchRecord()
    this.#fillChosen()
    this.update(shown)
  }

  /**
   * @param {Readonly<PictureClass>} shown
   */
  update(shown) {
    const { id, name, pictures } = (this.#shown = shown)
    if (document.activeElement !== this.#name) this.#name.value = name
    this.#name.ariaLabel = `Name of ${name}`
    this.#count.textContent = pictures.length === 1 ? '1 picture' : `${whole(pictures.length)} pictures`
    this.#record.ariaLabel = `Hold to record ${name}`
    this.#gallery.label = name
    this.#gallery.ids = pictures
    const others = this.#actions.classes().filter((other) => other.id !== id)
    this.#move.replaceChildren(
      option('', 'Move to …'),
      ...others.map((other) => option(String(other.id), other.name)),
    )
  }

  focusName() {
    this.#name.focus()
    this.#name.select()
  }

  #watchName() {
    this.#name.maxLength = 60
    this.#name.autocomplete = 'off'
    this.#name.spellcheck = false
    this.#name.addEventListener('change', async () => {
      const taken = await this.#actions.rename(this.#shown.id, this.#name.value)
      if (!taken) this.#name.value = this.#shown.name
    })
    this.#name.addEventListener('keydown', ({ key }) => {
      if (key === 'Escape') this.#name.value = this.#shown.name
      if (key === 'Enter' || key === 'Escape') this.#name.blur()
    })
  }

  /** Records while the button is held: by finger, mouse, Space or Enter. */
  #watchRecord() {
    const button = this.#record
    button.type = 'button'
    const begin = async () => {
      if (button.classList.contains('recording')) return
      button.classList.add('recording')
      button.textContent = 'Recording …'
      await this.#actions.record(this.#shown.id, (count) => (button.textContent = `Recording … ${count}`))
      end()
    }
    const end = () => {
      this.#actions.stopRecording()
      button.classList.remove('recording')
      button.textContent = 'Hold to record'
    }
    watchHold(button, begin, end)
  }

  #filesButton() {
    const input = make('input', '')
    Object.assign(input, { type: 'file', accept: 'image/*', multiple: true, hidden: true, tabIndex: -1 })
    input.addEventListener('change', () => {
      const files = [...(input.files ?? [])]
      input.value = ''
      if (files.length) this.#actions.addFiles(this.#shown.id, files)
    })
    const button = action('Add pictures', () => input.click())
    return make('span', 'file-button', button, input)
  }

  #menu() {
    const { id } = this.#shown
    return make(
      'div',
      'class-menu',
      icon('↑', 'Move up', () => this.#actions.reorder(id, -1)),
      icon('↓', 'Move down', () => this.#actions.reorder(id, 1)),
      icon('✕', 'Remove this class', () => this.#actions.removeClass(id)),
    )
  }

  #fillChosen() {
    const count = make('span', 'chosen-count')
    this.#move.ariaLabel = 'Move the selected pictures to'
    this.#move.addEventListener('change', () => {
      if (this.#move.value) this.#actions.movePictures(this.#gallery.selected, Number(this.#move.value))
    })
    this.#chosen.append(
      count,
      action('Look', () => this.#actions.open(/** @type {number} */ (this.#gallery.selected.at(-1)))),
      this.#move,
      action('Delete', () => this.#actions.removePictures(this.#gallery.selected)),
      action('Clear', () => this.#gallery.clearSelection()),
    )
  }

  /** @param {number[]} ids */
  #showChosen(ids) {
    this.#chosen.hidden = ids.length === 0
    this.#chosen.children[0].textContent = `${whole(ids.length)} selected`
  }
}

/**
 * @param {string} text
 * @param {() => void} act
 */
function action(text, act) {
  const button = make('button', '', text)
  button.type = 'button'
  button.addEventListener('click', act)
  return button
}

/**
 * @param {string} sign
 * @param {string} label
 * @param {() => void} act
 */
function icon(sign, label, act) {
  const button = action(sign, act)
  button.className = 'icon'
  button.ariaLabel = button.title = label
  return button
}

/**
 * @param {string} value
 * @param {string} text
 */
function option(value, text) {
  const element = make('option', '', text)
  element.value = value
  return element
}
