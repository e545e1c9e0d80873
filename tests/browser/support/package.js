import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { WWW } from './server.js'

const run = promisify(execFile)

/** A project of someone else's, in a folder of its own, into which the package was installed from its packed file. */
export class Consumer {
  /**
   * @param {string} folder
   * @param {{ size: number, files: { path: string, size: number }[] }} packed
   */
  constructor(folder, packed) {
    this.folder = folder
    this.packed = packed
  }

  static async create() {
    const folder = await mkdtemp(join(tmpdir(), 'convlet-consumer-'))
    const pack = ['pack', join(WWW, 'dist/package'), '--json', '--pack-destination', folder]
    const [packed] = JSON.parse((await run('npm', pack, { cwd: folder })).stdout)
    const consumer = new Consumer(folder, packed)
    await consumer.write({ 'package.json': '{ "private": true, "type": "module" }' })
    await consumer.run('npm', 'install', '--offline', '--no-audit', '--no-fund', `./${packed.filename}`)
    return consumer
  }

  /** Where the package is installed. */
  get installed() {
    return join(this.folder, 'node_modules/convlet')
  }

  /**
   * @param {{ [path: string]: string | Buffer }} files
   */
  async write(files) {
    for (const [path, content] of Object.entries(files)) {
      const file = join(this.folder, path)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, content)
    }
  }

  /** What a command says. */
  async run(/** @type {string} */ command, /** @type {string[]} */ ...commandArguments) {
    return (await run(command, commandArguments, { cwd: this.folder })).stdout
  }

  /**
   * Lends it a tool of ours, as the registry may be out of reach.
   *
   * @param {string} name
   */
  async borrow(name) {
    await symlink(join(WWW, 'node_modules', name), join(this.folder, 'node_modules', name))
  }

  remove() {
    return rm(this.folder, { recursive: true })
  }
}
