import { ConvletError } from '../client/errors.js'
import { shrink } from '../client/shrink.js'
import { isModel } from '../page/intake.js'
import { byId, make } from '../page/dom.js'
import { whole } from '../page/format.js'
import { ClassCard } from './class-card.js'
import { fromPicker, isPicture, isZip, takeFiles } from './intake.js'

/** @import { ClassActions } from './class-card.js' */
/** @import { Arrival } from './intake.js' */
/** @import { Project } from './project.js' */
/** @import { Recorder } from './recorder.js' */
/** @import { Undo } from './undo.js' */

/** Pictures stored in one go. */
const AT_A_TIME = 16

/**
 * @typedef {object} CollectParts
 * @property {Project} project
 * @property {Recorder} recorder
 * @property {Undo} undo
 * @property {(id: number) => void} open a picture is to be looked at
 * @property {(file: File) => void} look a file is to be looked at
 * @property {(file: File) => void} useBase a model file came
 * @property {(file: File) => Promise<boolean>} adopt a project's network came; whether it is this project's
 * @property {() => unknown} onAdded
 * @property {(thrown: unknown) => void} onError
 */

/** The classes and all ways that pictures come into them. */
export class CollectPanel {
  #list = byId('classes', HTMLUListElement)
  #status = byId('collect-status', HTMLElement)
  /** @type {Map<number, ClassCard>} */
  #cards = new Map()
  #parts

  /** @param {CollectParts} parts */
  constructor(parts) {
    this.#parts = parts
    const { project, onError } = parts
    byId('add-class', HTMLButtonElement).addEventListener('click', async () => {
      const added = await project.addClass().catch(onError)
      if (added) this.#cards.get(added.id)?.focusName()
    })
    const folder = byId('folder-file', HTMLInputElement)
    byId('open-folder', HTMLButtonElement).addEventListener('click', () => folder.click())
    folder.addEventListener('change', () => {
      const arrivals = fromPicker(folder.files)
      folder.value = ''
      this.take(arrivals)
    })
    takeFiles({ onFiles: (arrivals, classId) => this.take(arrivals, classId) })
    for (const event of ['classes', 'pictures']) project.addEventListener(event, () => this.#show())
    this.#show()
  }

  #show() {
    const { project } = this.#parts
    const cards = project.classes.map((shown) => {
      let card = this.#cards.get(shown.id)
      if (card) card.update(shown)
      else this.#cards.set(shown.id, (card = new ClassCard(shown, this.#actions)))
      return card.element
    })
    for (const id of this.#cards.keys()) if (!project.classes.some((one) => one.id === id)) this.#cards.delete(id)
    const same = cards.length === this.#list.children.length && cards.every((card, place) => card === this.#list.children[place])
    if (same) return
    // Moving an element takes the focus from it.
    const focused = document.activeElement
    this.#list.replaceChildren(...cards)
    if (focused instanceof HTMLElement && this.#list.contains(focused)) focused.focus()
  }

  /** @returns {ClassActions} */
  get #actions() {
    const { project, recorder, undo, open, onAdded, onError } = this.#parts
    return {
      classes: () => project.classes,
      load: (id) => project.blob(id),
      open,
      rename: (id, name) => project.rename(id, name).catch((thrown) => (onError(thrown), false)),
      reorder: (id, by) => project.reorder(id, by).catch(onError),
      removeClass: async (id) => {
        const { name, pictures } = project.classes.find((one) => one.id === id) ?? { name: '', pictures: [] }
        try {
          undo.offer(`Removed ${name} and its ${whole(pictures.length)} pictures.`, await project.removeClass(id))
        } catch (thrown) {
          onError(thrown)
        }
      },
      record: async (id, onPicture) => {
        await recorder.start(id, onPicture)
        onAdded()
      },
      stopRecording: () => recorder.stop(),
      addFiles: (id, files) => this.take(files.map((file) => ({ file })), id),
      removePictures: (ids) => this.removePictures(ids),
      movePictures: (ids, classId) => this.movePictures(ids, classId),
    }
  }

  /** @param {number[]} ids */
  async removePictures(ids) {
    const { project, undo, onError } = this.#parts
    try {
      undo.offer(ids.length === 1 ? 'Deleted a picture.' : `Deleted ${whole(ids.length)} pictures.`, await project.removePictures(ids))
    } catch (thrown) {
      onError(thrown)
    }
  }

  /**
   * @param {number[]} ids
   * @param {number} classId
   */
  async movePictures(ids, classId) {
    const { project, undo, onError } = this.#parts
    try {
      const takeBack = await project.movePictures(ids, classId)
      undo.offer(`Moved ${whole(ids.length)} to ${project.classes.find(({ id }) => id === classId)?.name}.`, takeBack)
    } catch (thrown) {
      onError(thrown)
    }
  }

  /**
   * Files that came, by whichever way.
   *
   * @param {Arrival[]} arrivals
   * @param {number} [classId] the class they were meant for
   */
  async take(arrivals, classId) {
    const { project, look, useBase, onError } = this.#parts
    const [first] = arrivals
    if (!first) return
    try {
      if (isModel(first.file)) useBase(first.file)
      else if (isZip(first.file)) await this.openZip(first.file)
      else if (classId === undefined && arrivals.length === 1 && !first.folder) look(first.file)
      else {
        const fallback = classId ?? (arrivals.some(({ folder }) => !folder) ? (await project.addClass()).id : undefined)
        await this.#add(arrivals, arrivals.length, (folder) => (classId === undefined && folder ? folder : undefined), fallback)
      }
    } catch (thrown) {
      onError(thrown)
    } finally {
      this.#parts.onAdded()
    }
  }

  /** @param {File} file */
  async openZip(file) {
    const { project, useBase, adopt } = this.#parts
    const { unpack } = await import('./archive.js')
    const { pictures, count, classes, model } = await unpack(file)
    if (!count && !model)
      throw new ConvletError('file', `${file.name}: expected pictures in folders, one folder a class, and found none.`)
    for (const name of classes) await project.classNamed(name)
    await this.#add(pictures, count, (folder) => folder, undefined)
    if (model && !(await adopt(model))) useBase(model)
  }

  /**
   * Adds pictures a few at a time, and says how far it is; what is no picture is counted and left out.
   *
   * @param {Iterable<Arrival>} arrivals
   * @param {number} total
   * @param {(folder: string | undefined) => string | undefined} className
   * @param {number | undefined} fallback the class of what has no folder
   */
  async #add(arrivals, total, className, fallback) {
    const { project } = this.#parts
    let [added, refused] = [0, 0]
    /** @type {Map<number, Blob[]>} */
    const waiting = new Map()
    const flush = async () => {
      for (const [classId, blobs] of waiting) await project.addPictures(classId, blobs)
      waiting.clear()
    }
    let queued = 0
    for (const { file, folder } of arrivals) {
      const name = className(folder)
      const classId = name ? (await project.classNamed(name)).id : fallback
      const blob = isPicture(file) && (await shrink(file).catch(() => undefined))
      if (!blob || classId === undefined) refused++
      else {
        waiting.set(classId, [...(waiting.get(classId) ?? []), blob])
        added++
        if (++queued % AT_A_TIME === 0) await flush()
      }
      this.#status.textContent = `Adding pictures: ${whole(added)} of ${whole(total)}`
    }
    await flush()
    this.#status.textContent =
      `Added ${whole(added)} ${added === 1 ? 'picture' : 'pictures'}.` +
      (refused ? ` ${whole(refused)} ${refused === 1 ? 'file' : 'files'} could not be read as pictures.` : '')
  }
}

