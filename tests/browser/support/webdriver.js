import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { Builder, Capabilities } from 'selenium-webdriver'

/** A port that nobody listens at. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

/**
 * The engines beside Chromium: how each driver is started and what it is asked for. The environment says where they are,
 * as `tests/run` does.
 */
export const ENGINES = {
  Firefox: {
    isThere: Boolean(process.env.GECKODRIVER && process.env.FIREFOX),
    command: (port) => [process.env.GECKODRIVER, `--port=${port}`],
    capabilities: { browserName: 'firefox', 'moz:firefoxOptions': { binary: process.env.FIREFOX, args: ['-headless'] } },
  },
  // Its browser needs a screen.
  WebKitGTK: {
    isThere: Boolean(process.env.WEBKITDRIVER),
    command: (port) => ['xvfb-run', '-a', process.env.WEBKITDRIVER, `--port=${port}`],
    capabilities: { browserName: 'MiniBrowser' },
  },
}

/**
 * Opens a browser by its own driver.
 *
 * @param {typeof ENGINES[keyof typeof ENGINES]} engine
 */
export async function drive({ command, capabilities }) {
  const port = await freePort()
  const [name, ...args] = command(port)
  // In no language at all, as a bare machine has it, WebKitGTK says 'C', which Intl refuses.
  const env = { ...process.env, LANG: 'en_US.UTF-8', LC_ALL: '', LANGUAGE: 'en_US', WEBKIT_DISABLE_COMPOSITING_MODE: '1' }
  // A group of its own, since xvfb-run leaves its children behind.
  const child = spawn(name, args, { env, stdio: 'ignore', detached: true })
  const end = () => {
    try {
      process.kill(-child.pid)
    } catch {
      // It has ended by itself.
    }
  }
  const address = `http://127.0.0.1:${port}`
  for (let tries = 0; !(await fetch(`${address}/status`).catch(() => undefined)); tries++) {
    if (tries === 150) throw (end(), new Error(`${name} does not answer`))
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const driver = await new Builder().usingServer(address).withCapabilities(new Capabilities(capabilities)).build()
  await driver.manage().window().setRect({ width: 1280, height: 900 })
  return { driver, close: () => driver.quit().catch(() => {}).then(end) }
}
