/** @import { AnyStore as Store, Picture } from './store.js' */

/**
 * A class and the numbers of its pictures, oldest first; the pictures themselves stay in the store.
 *
 * @typedef {{ id: number, name: string, pictures: number[] }} PictureClass
 */

/** How many classes a new project begins with: fewer cannot be told apart. */
const FIRST_CLASSES = 2

/**
 * The visitor's classes and pictures. A change is stored first and seen afterwards, so what the page shows is kept.
 * Tells of changes by the events 'classes' (which there are, their names and order) and 'pictures' (what is in them).
 */
export class Project extends EventTarget {
  #store
  /** @type {PictureClass[]} */
  #classes = []
  #lastClass = 0
  #lastPicture = 0

  /**
   * @param {Store} store
   */
  constructor(store) {
    super()
    this.#store = store
  }

  /**
   * The project that this browser keeps, or a new one.
   *
   * @param {Store} store
   */
  static async open(store) {
    const project = new Project(store)
    /** @type {{ id: number, name: string }[]} */
    const kept = (await store.get('classes')) ?? []
    project.#lastPicture = await store.lastPictureId()
    for (const { id, name } of kept) project.#classes.push({ id, name, pictures: await store.pictureIds(id) })
    project.#lastClass = Math.max(0, ...kept.map(({ id }) => id))
    if (!kept.length) for (let count = 0; count < FIRST_CLASSES; count++) await project.addClass()
    return project
  }

  /** @type {readonly Readonly<PictureClass>[]} */
  get classes() {
    return this.#classes
  }

  /** Pictures in all. */
  get size() {
    return this.#classes.reduce((sum, { pictures }) => sum + pictures.length, 0)
  }

  /** Whether there is anything to learn: two classes with a picture each. */
  get isTrainable() {
    return this.trainable.length >= 2
  }

  /** The classes that have pictures. */
  get trainable() {
    return this.#classes.filter(({ pictures }) => pictures.length > 0)
  }

  /**
   * @param {number} id
   */
  classOf(id) {
    return this.#classes.find(({ pictures }) => pictures.includes(id))
  }

  /**
   * @param {string} [name]
   * @returns {Promise<PictureClass>}
   */
  async addClass(name = this.#freeName()) {
    const added = { id: ++this.#lastClass, name, pictures: [] }
    await this.#setClasses([...this.#classes, added])
    return added
  }

  /**
   * The class of this name, made if there is none.
   *
   * @param {string} name
   */
  async classNamed(name) {
    const found = this.#classes.find((one) => one.name === name)
    if (found) return found
    // A class that nobody has named or filled is there to be used.
    const unused = this.#classes.find((one) => one.pictures.length === 0 && /^Class \d+$/.test(one.name))
    if (!unused) return this.addClass(name)
    await this.rename(unused.id, name)
    return this.#class(unused.id)
  }

  /**
   * @param {number} id
   * @param {string} name names are unique and not empty: another is refused
   * @returns {Promise<boolean>} whether the class has that name now
   */
  async rename(id, name) {
    const wanted = name.trim()
    if (!wanted || this.#classes.some((one) => one.id !== id && one.name === wanted)) return false
    await this.#setClasses(this.#classes.map((one) => (one.id === id ? { ...one, name: wanted } : one)))
    return true
  }

  /**
   * @param {number} id
   * @param {number} by how many places up (negative) or down
   */
  async reorder(id, by) {
    const from = this.#classes.findIndex((one) => one.id === id)
    const to = from + by
    if (to < 0 || to >= this.#classes.length) return
    const classes = [...this.#classes]
    classes.splice(to, 0, ...classes.splice(from, 1))
    await this.#setClasses(classes)
  }

  /**
   * @param {number} id
   * @returns {Promise<() => Promise<void>>} takes it back
   */
  async removeClass(id) {
    const place = this.#classes.findIndex((one) => one.id === id)
    const removed = this.#classes[place]
    const records = await this.#store.pictures(removed.pictures)
    await this.#setClasses(this.#classes.filter((one) => one !== removed))
    await this.#store.removePictures(removed.pictures)
    this.#changed('pictures')
    return async () => {
      await this.#store.putPictures(records)
      const classes = [...this.#classes]
      classes.splice(place, 0, removed)
      await this.#setClasses(classes)
      this.#changed('pictures')
    }
  }

  /**
   * @param {number} classId
   * @param {Blob[]} blobs
   */
  async addPictures(classId, blobs) {
    const records = blobs.map((blob) => ({ id: ++this.#lastPicture, classId, blob }))
    await this.#store.putPictures(records)
    this.#class(classId).pictures.push(...records.map(({ id }) => id))
    this.#changed('pictures')
  }

  /**
   * @param {number[]} ids
   * @returns {Promise<() => Promise<void>>} takes it back
   */
  async removePictures(ids) {
    const records = await this.#store.pictures(ids)
    await this.#store.removePictures(ids)
    this.#forget(ids)
    this.#changed('pictures')
    return () => this.#putBack(records)
  }

  /**
   * @param {number[]} ids
   * @param {number} classId the class that they belong to from now on
   * @returns {Promise<() => Promise<void>>} takes it back
   */
  async movePictures(ids, classId) {
    const records = await this.#store.pictures(ids)
    await this.#putBack(records.map((record) => ({ ...record, classId })))
    return () => this.#putBack(records)
  }

  /**
   * @param {number} id
   */
  async blob(id) {
    return (await this.#store.picture(id))?.blob
  }

  /**
   * Keeps records as they are and lists each under its class.
   *
   * @param {Picture[]} records
   */
  async #putBack(records) {
    // A class removed meanwhile takes nothing back.
    const homed = records.filter(({ classId }) => this.#classes.some(({ id }) => id === classId))
    await this.#store.putPictures(homed)
    this.#forget(records.map(({ id }) => id))
    for (const { id, classId } of homed) this.#class(classId).pictures.push(id)
    for (const one of this.#classes) one.pictures.sort((a, b) => a - b)
    this.#changed('pictures')
  }

  /**
   * @param {number[]} ids
   */
  #forget(ids) {
    const gone = new Set(ids)
    for (const one of this.#classes) one.pictures = one.pictures.filter((id) => !gone.has(id))
  }

  /**
   * @param {number} id
   */
  #class(id) {
    const found = this.#classes.find((one) => one.id === id)
    if (!found) throw new Error(`the project has no class ${id}`)
    return found
  }

  /**
   * @param {PictureClass[]} classes
   */
  async #setClasses(classes) {
    await this.#store.set('classes', classes.map(({ id, name }) => ({ id, name })))
    this.#classes = classes
    this.#changed('classes')
  }

  #freeName() {
    const names = new Set(this.#classes.map(({ name }) => name))
    let number = this.#classes.length + 1
    while (names.has(`Class ${number}`)) number++
    return `Class ${number}`
  }

  /**
   * @param {'classes' | 'pictures'} what
   */
  #changed(what) {
    this.dispatchEvent(new Event(what))
  }
}
