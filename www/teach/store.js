import { deleteDB, openDB } from 'idb'
import { ConvletError, messageOf } from '../client/errors.js'

/** @import { DBSchema, IDBPDatabase } from 'idb' */

/**
 * A labelled picture as it is kept.
 *
 * @typedef {{ id: number, classId: number, blob: Blob }} Picture
 *
 * @typedef {object} Schema
 * @property {{ key: number, value: Picture, indexes: { class: number } }} pictures
 * @property {{ key: string, value: any }} state everything else, by name
 */

const NAME = 'convlet-studio'

/** What the studio keeps in this browser: pictures, one record each, and small things by name. */
export class Store {
  #database

  /**
   * @param {IDBPDatabase<Schema & DBSchema>} database
   */
  constructor(database) {
    this.#database = database
  }

  static async open() {
    try {
      /** @type {IDBPDatabase<Schema & DBSchema>} */
      const database = await openDB(NAME, 1, {
        upgrade(database) {
          database.createObjectStore('pictures', { keyPath: 'id' }).createIndex('class', 'classId')
          database.createObjectStore('state')
        },
        // Another tab deletes all: this one lets go.
        blocking: (_current, _blocked, event) => /** @type {IDBDatabase} */ (event.target).close(),
      })
      return new Store(database)
    } catch (thrown) {
      throw storageError(thrown)
    }
  }

  /**
   * @param {string} name
   * @returns {Promise<any>} undefined if nothing of that name is kept
   */
  get(name) {
    return guarded(this.#database.get('state', name))
  }

  /**
   * @param {string} name
   * @param {unknown} value
   */
  async set(name, value) {
    await guarded(this.#database.put('state', value, name))
  }

  /**
   * @param {string} name
   */
  async remove(name) {
    await guarded(this.#database.delete('state', name))
  }

  /**
   * The pictures of a class by their numbers, oldest first.
   *
   * @param {number} classId
   */
  pictureIds(classId) {
    return guarded(this.#database.getAllKeysFromIndex('pictures', 'class', classId))
  }

  /** The highest number of a picture, 0 without any. */
  async lastPictureId() {
    const cursor = await guarded(this.#database.transaction('pictures').store.openKeyCursor(null, 'prev'))
    return cursor?.primaryKey ?? 0
  }

  /**
   * @param {number} id
   */
  picture(id) {
    return guarded(this.#database.get('pictures', id))
  }

  /**
   * @param {number[]} ids
   */
  async pictures(ids) {
    const { store } = this.#database.transaction('pictures')
    const found = await guarded(Promise.all(ids.map((id) => store.get(id))))
    return found.filter((picture) => picture !== undefined)
  }

  /**
   * Keeps pictures, all or none.
   *
   * @param {Picture[]} pictures
   */
  putPictures(pictures) {
    return this.#write((store) => pictures.map((picture) => store.put(picture)))
  }

  /**
   * @param {number[]} ids
   */
  removePictures(ids) {
    return this.#write((store) => ids.map((id) => store.delete(id)))
  }

  /**
   * @param {(store: import('idb').IDBPObjectStore<Schema & DBSchema, ['pictures'], 'pictures', 'readwrite'>) => Promise<unknown>[]} requests
   */
  async #write(requests) {
    const transaction = this.#database.transaction('pictures', 'readwrite')
    await guarded(Promise.all([...requests(transaction.store), transaction.done]))
  }

  /** Deletes everything and looks whether it is gone. */
  async deleteAll() {
    this.#database.close()
    await guarded(deleteDB(NAME))
    const left = await indexedDB.databases()
    if (left.some(({ name }) => name === NAME))
      throw new ConvletError('storage', 'The browser did not delete the pictures. Close other tabs of this page and try again.')
  }
}

/**
 * What a storage request gives, or an error with words for people.
 *
 * @template Result
 * @param {Promise<Result>} request
 * @returns {Promise<Result>}
 */
async function guarded(request) {
  try {
    return await request
  } catch (thrown) {
    throw storageError(thrown)
  }
}

/**
 * @param {unknown} thrown
 */
function storageError(thrown) {
  const names = [thrown, /** @type {{ cause?: unknown }} */ (thrown)?.cause].map((error) => (error instanceof Error ? error.name : ''))
  return names.includes('QuotaExceededError')
    ? new ConvletError(
        'quota',
        'This browser gives the page no more room. What was kept before is safe: save the project as a zip, then delete pictures.',
        { cause: thrown },
      )
    : new ConvletError('storage', `This browser could not keep or read the data (${messageOf(thrown)}).`, { cause: thrown })
}
