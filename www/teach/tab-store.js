/** @import { AnyStore, Picture } from './store.js' */

/**
 * Keeps what `Store` keeps, but in this tab alone and only until it is closed: for browsers that keep nothing.
 *
 * @implements {AnyStore}
 */
export class TabStore {
  /** @type {Map<string, any>} */
  #state = new Map()
  /** @type {Map<number, Picture>} */
  #pictures = new Map()

  /** @param {string} name */
  async get(name) {
    return this.#state.get(name)
  }

  /**
   * @param {string} name
   * @param {unknown} value
   */
  async set(name, value) {
    // As a database has it: what is changed afterwards is not changed here.
    this.#state.set(name, structuredClone(value))
  }

  /** @param {string} name */
  async remove(name) {
    this.#state.delete(name)
  }

  /** @param {number} classId */
  async pictureIds(classId) {
    const own = [...this.#pictures.values()].filter((picture) => picture.classId === classId)
    return own.map(({ id }) => id).sort((a, b) => a - b)
  }

  async lastPictureId() {
    return Math.max(0, ...this.#pictures.keys())
  }

  /** @param {number} id */
  async picture(id) {
    return this.#pictures.get(id)
  }

  /** @param {number[]} ids */
  async pictures(ids) {
    return ids.map((id) => this.#pictures.get(id)).filter((picture) => picture !== undefined)
  }

  /** @param {Picture[]} pictures */
  async putPictures(pictures) {
    for (const picture of pictures) this.#pictures.set(picture.id, picture)
  }

  /** @param {number[]} ids */
  async removePictures(ids) {
    for (const id of ids) this.#pictures.delete(id)
  }

  async deleteAll() {
    this.#state.clear()
    this.#pictures.clear()
  }

  close() {}
}
