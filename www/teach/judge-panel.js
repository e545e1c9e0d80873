import { byId, make } from '../page/dom.js'
import { percent, whole } from '../page/format.js'
import { Gallery } from './gallery.js'

/** @import { Project } from './project.js' */
/** @import { Settings } from './settings.js' */
/** @import { Training, Verdict } from './training.js' */

/**
 * @typedef {object} JudgeActions
 * @property {(id: number) => void} open
 * @property {(ids: number[], classId: number) => Promise<void>} movePictures
 * @property {(ids: number[]) => Promise<void>} removePictures
 */

/** How well the network tells the classes apart: the confusion matrix, its pictures, and figures by class. */
export class JudgePanel {
  #empty = byId('judge-empty', HTMLElement)
  #body = byId('judge-body', HTMLElement)
  #headline = byId('judge-headline', HTMLElement)
  #stale = byId('judge-stale', HTMLElement)
  #table = byId('confusion', HTMLTableElement)
  #figures = byId('per-class', HTMLTableElement)
  #cell = byId('cell', HTMLElement)
  #cellTitle = byId('cell-title', HTMLElement)
  #relabel = byId('relabel', HTMLElement)
  #project
  #training
  #actions
  #gallery
  /** The pictures of the open cell. @type {number[]} */
  #opened = []

  /**
   * @param {{ project: Project, training: Training, settings: Settings, actions: JudgeActions }} parts
   */
  constructor({ project, training, settings, actions }) {
    this.#project = project
    this.#training = training
    this.#actions = actions
    this.#gallery = new Gallery('this cell', {
      load: (id) => project.blob(id),
      onSelect: (ids) => this.#showChoice(ids),
      onOpen: actions.open,
      onRemove: actions.removePictures,
    })
    byId('cell-gallery', HTMLElement).append(this.#gallery.element)
    byId('cell-close', HTMLButtonElement).addEventListener('click', () => this.#close())
    training.addEventListener('state', () => !training.isBusy && this.#show())
    for (const event of ['classes', 'pictures'])
      project.addEventListener(event, () => {
        this.#showStale()
        this.#showCell(this.#opened)
      })
    this.#watchThreshold(settings)
    this.#show()
  }

  /** @param {Settings} settings */
  #watchThreshold(settings) {
    const input = byId('threshold', HTMLInputElement)
    const output = byId('threshold-value', HTMLElement)
    const say = () => (output.textContent = `${input.value}%`)
    input.value = String(Math.round(settings.values.threshold * 100))
    say()
    input.addEventListener('input', () => {
      say()
      settings.set({ threshold: input.valueAsNumber / 100 })
    })
  }

  #show() {
    const { result } = this.#training
    this.#empty.hidden = result !== undefined
    this.#body.hidden = result === undefined
    if (!result) return
    const { labels, verdict } = result
    const right = verdict.pictures.filter(({ truth, said }) => truth === said).length
    const pictures =
      verdict.heldOut === undefined
        ? 'the pictures here; the file does not tell which of them it was trained on'
        : verdict.heldOut
          ? 'pictures that it was not trained on'
          : 'the very pictures that it was trained on'
    this.#headline.textContent = `Right on ${whole(right)} of ${whole(verdict.pictures.length)} ${pictures}.`
    this.#showMatrix(labels, verdict)
    this.#showFigures(labels, verdict)
    this.#showStale()
    this.#close()
  }

  /** Whether the pictures are others than those that the network was trained on. */
  #showStale() {
    const { result } = this.#training
    if (!result) return
    const known = new Map(result.verdict.pictures.map(({ id, truth }) => [id, result.labels[truth]]))
    const moved = [...known].some(([id, label]) => this.#project.classOf(id)?.name !== label)
    this.#stale.hidden = !moved && this.#project.trainable.every(({ name }) => result.labels.includes(name))
  }

  /**
   * @param {string[]} labels
   * @param {Verdict} verdict
   */
  #showMatrix(labels, { confusion, pictures }) {
    const head = make('tr', '', make('td', ''), ...labels.map((label) => header('col', label)))
    const rows = confusion.map((row, truth) => {
      const sum = row.reduce((a, b) => a + b, 0)
      const cells = row.map((count, said) => {
        const cell = make('td', truth === said ? 'right' : 'wrong')
        cell.style.setProperty('--share', String(sum ? count / sum : 0))
        if (!count) cell.append(make('span', 'none', '0'))
        else {
          const button = make('button', '', whole(count))
          button.type = 'button'
          button.ariaLabel = `${count} of ${labels[truth]} called ${labels[said]}: show them`
          button.addEventListener('click', () => {
            const ids = pictures.filter((one) => one.truth === truth && one.said === said).map(({ id }) => id)
            this.#open(`${labels[truth]}, called ${labels[said]}`, ids)
          })
          cell.append(button)
        }
        return cell
      })
      return make('tr', '', header('row', labels[truth]), ...cells)
    })
    this.#table.tBodies[0].replaceChildren(head, ...rows)
  }

  /**
   * @param {string[]} labels
   * @param {Verdict} verdict
   */
  #showFigures(labels, { perClass }) {
    const rows = perClass.map(({ precision, recall }, index) =>
      make('tr', '', header('row', labels[index]), make('td', '', share(precision)), make('td', '', share(recall))),
    )
    this.#figures.tBodies[0].replaceChildren(...rows)
  }

  /**
   * @param {string} title
   * @param {number[]} ids
   */
  #open(title, ids) {
    this.#cellTitle.textContent = title
    this.#cell.hidden = false
    this.#showCell(ids)
    this.#cellTitle.focus()
  }

  /** @param {number[]} ids */
  #showCell(ids) {
    this.#opened = ids.filter((id) => this.#project.classOf(id))
    this.#gallery.ids = this.#opened
    this.#gallery.label = this.#cellTitle.textContent ?? ''
    this.#showChoice(this.#gallery.selected)
  }

  #close() {
    this.#cell.hidden = true
    this.#opened = []
    this.#gallery.ids = []
  }

  /**
   * What can be done with the pictures selected, or with all of the cell.
   *
   * @param {number[]} chosen
   */
  #showChoice(chosen) {
    const ids = chosen.length ? chosen : this.#opened
    const what = chosen.length ? `${chosen.length} selected` : ids.length === 1 ? 'This picture' : `All ${ids.length}`
    const buttons = this.#project.classes.map(({ id, name }) => {
      const button = make('button', '', name)
      button.type = 'button'
      button.addEventListener('click', async () => {
        await this.#actions.movePictures(ids, id)
        this.#showCell(this.#opened.filter((opened) => !ids.includes(opened)))
      })
      return button
    })
    this.#relabel.replaceChildren(make('span', '', `${what} should be:`), ...buttons)
    this.#relabel.hidden = ids.length === 0
  }
}

/**
 * @param {'row' | 'col'} scope
 * @param {string} text
 */
function header(scope, text) {
  const cell = make('th', '', make('span', '', text))
  cell.scope = scope
  return cell
}

/** @param {number | undefined} value undefined where nothing was said or shown */
const share = (value) => (value === undefined ? '–' : percent(value))
