/**
 * What `work` gives, or the error where it keeps one waiting for too long. The work itself is not ended by that.
 *
 * @template Result
 * @param {number} milliseconds
 * @param {PromiseLike<Result>} work
 * @param {() => Error} error
 * @returns {Promise<Result>}
 */
export function within(milliseconds, work, error) {
  /** @type {ReturnType<typeof setTimeout>} */
  let timer
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(error()), milliseconds)))
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
