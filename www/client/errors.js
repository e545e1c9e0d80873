/**
 * What went wrong, for programs. The first group comes from Rust (`ErrorKind::code`), the second from the client.
 *
 * @typedef {'argument' | 'shape' | 'architecture' | 'file' | 'version' | 'data' | 'divergence' | 'io'
 *   | 'network' | 'integrity' | 'picture' | 'engine'
 *   | 'storage' | 'quota'
 *   | 'camera-denied' | 'camera-absent' | 'camera-in-use' | 'camera-insecure'} ErrorCode
 */

/** The one error this client throws: `code` for programs, `message` for people. An abort rejects with its own reason. */
export class ConvletError extends Error {
  /**
   * @param {ErrorCode} code
   * @param {string} message what was expected and what came
   * @param {ErrorOptions} [options]
   */
  constructor(code, message, options) {
    super(message, options)
    this.name = 'ConvletError'
    this.code = code
  }
}

/**
 * The message of anything thrown.
 *
 * @param {unknown} thrown
 */
export const messageOf = (thrown) => (thrown instanceof Error ? thrown.message : String(thrown))
