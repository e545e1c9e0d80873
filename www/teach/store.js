import { deleteDB, openDB } from 'idb'
import { ConvletError, messageOf } from '../client/errors.js'
import { within } from '../client/within.js'
import { plain, whole } from './plain.js'

/** @import { DBSchema, IDBPDatabase } from 'idb' */

/**
 * A labelled picture as it is kept.
 *
 * @typedef {{ id: number, classId: number, blob: Blob }} Picture
 *
 * @typedef {Pick<Store, keyof Store>} AnyStore this one, or what stands in for it
 *
 * @typedef {object} Schema
 * @property {{ key: number, value: Picture, indexes: { class: number } }} pictures
 * @property {{ key: string, value: any }} state everything else, by name
 */

const NAME = 'convlet-studio'
/** Milliseconds after which a browser that does not answer is taken to be stuck: some are, until they are restarted. */
const PATIENCE = { open: 10_000, request: 30_000 }

/** What the studio keeps in this browser: pictures, one record each, and small things by name. */
export class Store {
  #database
  /** Found out before the first Blob is kept. @type {Promise<boolean> | undefined} */
  #takesBlobs

  /**
   * @param {IDBPDatabase<Schema & DBSchema>} database
   */
  constructor(database) {
    this.#database = database
  }

  static async open() {
    try {
      /** @type {Promise<IDBPDatabase<Schema & DBSchema>>} */
      const opening = openDB(NAME, 1, {
        upgrade(database) {
          database.createObjectStore('pictures', { keyPath: 'id' }).createIndex('class', 'classId')
          database.createObjectStore('state')
        },
        // Another tab deletes all: this one lets go.
        blocking: (_current, _blocked, event) => /** @type {IDBDatabase} */ (event.target).close(),
      })
      return new Store(await within(PATIENCE.open, opening, stuck))
    } catch (thrown) {
      throw storageError(thrown)
    }
  }

  /**
   * @param {string} name
   * @returns {Promise<any>} undefined if nothing of that name is kept
   */
  async get(name) {
    return whole(await guarded(() => this.#database.get('state', name)))
  }

  /**
   * @param {string} name
   * @param {unknown} value
   */
  async set(name, value) {
    const kept = await this.#kept(value)
    await guarded(() => this.#database.put('state', kept, name))
  }

  /**
   * The value as it is kept.
   *
   * @template Value
   * @param {Value} value
   * @returns {Promise<Value>}
   */
  async #kept(value) {
    this.#takesBlobs ??= guarded(() => takesBlobs(this.#database))
    // Where there was no answer, the next value asks again.
    const takes = await this.#takesBlobs.catch((thrown) => {
      this.#takesBlobs = undefined
      throw thrown
    })
    return takes ? value : plain(value)
  }

  /**
   * @param {string} name
   */
  async remove(name) {
    await guarded(() => this.#database.delete('state', name))
  }

  /**
   * The pictures of a class by their numbers, oldest first.
   *
   * @param {number} classId
   */
  pictureIds(classId) {
    return guarded(() => this.#database.getAllKeysFromIndex('pictures', 'class', classId))
  }

  /** The highest number of a picture, 0 without any. */
  async lastPictureId() {
    const cursor = await guarded(() => this.#database.transaction('pictures').store.openKeyCursor(null, 'prev'))
    return cursor?.primaryKey ?? 0
  }

  /**
   * @param {number} id
   */
  async picture(id) {
    return whole(await guarded(() => this.#database.get('pictures', id)))
  }

  /**
   * @param {number[]} ids
   */
  async pictures(ids) {
    const found = await guarded(() => {
      const { store } = this.#database.transaction('pictures')
      return Promise.all(ids.map((id) => store.get(id)))
    })
    return found.filter((picture) => picture !== undefined).map(whole)
  }

  /**
   * Keeps pictures, all or none.
   *
   * @param {Picture[]} pictures
   */
  async putPictures(pictures) {
    const kept = await Promise.all(pictures.map((picture) => this.#kept(picture)))
    await this.#write((store) => kept.map((picture) => store.put(picture)))
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
    await guarded(() => {
      const transaction = this.#database.transaction('pictures', 'readwrite')
      return Promise.all([...requests(transaction.store), transaction.done])
    })
  }

  /** Lets go: nothing is kept or read any more. */
  close() {
    this.#database.close()
  }

  /** Deletes everything and looks whether it is gone. */
  async deleteAll() {
    this.close()
    await guarded(() => deleteDB(NAME))
    const left = await indexedDB.databases()
    if (left.some(({ name }) => name === NAME))
      throw new ConvletError('storage', 'The browser did not delete the pictures. Close other tabs of this page and try again.')
  }
}

/**
 * Whether Blobs can be kept: one is, for as long as its transaction lasts, which is then taken back.
 *
 * @param {IDBPDatabase<Schema & DBSchema>} database
 */
async function takesBlobs(database) {
  const transaction = database.transaction('state', 'readwrite')
  const done = transaction.done.catch(() => {})
  const takes = await transaction.store.put(new Blob(['?']), 'blob').then(
    () => true,
    () => false,
  )
  // A refusal has ended it by itself.
  if (takes) transaction.abort()
  await done
  return takes
}

/**
 * What a storage request gives, or an error with words for people.
 *
 * @template Result
 * @param {() => Promise<Result>} request may throw by itself, as on a connection that is closed
 * @returns {Promise<Result>}
 */
async function guarded(request) {
  try {
    return await within(PATIENCE.request, request(), stuck)
  } catch (thrown) {
    throw storageError(thrown)
  }
}

const stuck = () => new Error('it does not answer')

/**
 * @param {unknown} thrown
 */
function storageError(thrown) {
  const names = [thrown, /** @type {{ cause?: unknown }} */ (thrown)?.cause].map((error) => (error instanceof Error ? error.name : ''))
  // The connection is closed: by the browser, by a deletion of the page's data, or for another tab.
  if (names.includes('InvalidStateError'))
    return new ConvletError(
      'storage',
      'The browser has taken away what it kept for this page. Save the trained network, if there is one, and reload the page.',
      { cause: thrown },
    )
  return names.includes('QuotaExceededError')
    ? new ConvletError(
        'quota',
        'This browser gives the page no more room. What was kept before is safe: save the project as a zip, then delete pictures.',
        { cause: thrown },
      )
    : new ConvletError('storage', `This browser could not keep or read the data (${messageOf(thrown)}).`, { cause: thrown })
}
