import { Classifier } from '../../client/classifier.js'
import { ConvletError } from '../../client/errors.js'

/** @import { Progress } from '../../client/fetch.js' */

/** Milliseconds a model is kept after its last element has gone: one that is only moved finds it again. */
const KEEP = 500

/**
 * @typedef {{ integrity?: string, inspect?: boolean }} Wanted
 *
 * @typedef {object} Shared
 * @property {Promise<Classifier>} loading
 * @property {AbortController} controller
 * @property {Set<(progress: Progress) => void>} listeners
 * @property {Progress | undefined} last
 * @property {number} users
 */

/** The page's models, by address and hash: elements that show the same one share it. @type {Map<string, Shared>} */
const models = new Map()

/**
 * The model behind `src`, loaded once however many ask for it, and disposed of when the last one's `signal` aborts.
 *
 * @param {string} src
 * @param {{ signal: AbortSignal, onProgress?: (progress: Progress) => void } & Wanted} options
 * @returns {Promise<Classifier>}
 */
export async function sharedModel(src, { integrity = '', inspect, signal, onProgress }) {
  if (!src) throw new ConvletError('argument', 'No network is named yet: src is missing.')
  const url = new URL(src, document.baseURI).href
  const key = `${integrity} ${url}`
  const model = models.get(key) ?? load(key, url, { integrity, inspect })
  model.users++
  if (onProgress) {
    model.listeners.add(onProgress)
    if (model.last) onProgress(model.last)
  }
  signal.addEventListener('abort', () => {
    if (onProgress) model.listeners.delete(onProgress)
    if (--model.users === 0) setTimeout(() => model.users === 0 && forget(key, model), KEEP)
  })
  const classifier = await model.loading
  signal.throwIfAborted()
  return classifier
}

/**
 * @param {string} key
 * @param {string} url
 * @param {Wanted} options
 */
function load(key, url, { integrity, inspect }) {
  const controller = new AbortController()
  /** @type {Shared} */
  const model = {
    controller,
    listeners: new Set(),
    last: undefined,
    users: 0,
    loading: Classifier.load(url, {
      integrity: integrity || undefined,
      inspect,
      signal: controller.signal,
      onProgress: (progress) => {
        model.last = progress
        for (const listener of model.listeners) listener(progress)
      },
    }),
  }
  // One that failed is tried anew by whoever comes next.
  model.loading.catch(() => models.get(key) === model && models.delete(key))
  models.set(key, model)
  return model
}

/**
 * @param {string} key
 * @param {Shared} model
 */
function forget(key, model) {
  if (models.get(key) === model) models.delete(key)
  model.controller.abort()
  model.loading.then((classifier) => classifier.dispose()).catch(() => {})
}
