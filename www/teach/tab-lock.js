/** One tab at a time changes the project: two would write over each other. */

const NAME = 'convlet-studio'

/**
 * Waits for the lock, which this tab then holds until it is closed or another takes it.
 *
 * @param {{ steal?: boolean, onTaken: () => void }} options `onTaken`: another tab took it
 * @returns {Promise<boolean>} whether this tab holds it; false where another does
 */
export function holdProject({ steal = false, onTaken }) {
  // Old browsers have no locks: the last tab to write wins there.
  if (!navigator.locks) return Promise.resolve(true)
  return new Promise((resolve, reject) => {
    let held = false
    const holding = navigator.locks.request(NAME, steal ? { steal } : { ifAvailable: true }, (lock) => {
      held = lock !== null
      resolve(held)
      return held ? new Promise(() => {}) : undefined
    })
    holding.catch((thrown) => (held ? onTaken() : reject(thrown)))
  })
}
