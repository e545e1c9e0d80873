/**
 * A project as one zip: `pictures/<class>/*.jpg`, which the native command trains on, `model.safetensors`, and
 * `project.json` with the classes' names and order. Loaded when first needed.
 */
import { unzipSync, Zip, ZipPassThrough } from 'fflate'
import { ConvletError, messageOf } from '../client/errors.js'
import { isPicture } from './intake.js'

/** @import { UnzipFileInfo } from 'fflate' */
/** @import { Project } from './project.js' */

/** Pictures handled at a time, so that neither memory nor the page's patience runs out. */
const AT_A_TIME = 50
/** Bytes of the largest file that is unpacked: more is no picture and no model of ours. */
const LARGEST = 256 * 2 ** 20

/**
 * @param {Project} project
 * @param {Blob | undefined} model
 * @returns {Promise<Blob>}
 */
export async function packProject(project, model) {
  /** @type {BlobPart[]} */
  const parts = []
  const zip = new Zip((error, chunk) => {
    if (error) throw error
    parts.push(/** @type {Uint8Array<ArrayBuffer>} */ (chunk))
  })
  /** @param {string} name @param {Uint8Array} bytes */
  const put = (name, bytes) => {
    // JPEG and weights do not shrink any further.
    const entry = new ZipPassThrough(name)
    zip.add(entry)
    entry.push(bytes, true)
  }
  const folders = folderNames(project.classes.map(({ name }) => name))
  const classes = project.classes.map(({ name }, place) => ({ name, folder: folders[place] }))
  put('project.json', new TextEncoder().encode(JSON.stringify({ format: 'convlet project', version: 1, classes })))
  for (const [place, { pictures }] of project.classes.entries())
    for (const [number, id] of pictures.entries()) {
      const blob = await project.blob(id)
      if (blob) put(`pictures/${folders[place]}/${String(number + 1).padStart(5, '0')}.jpg`, await bytesOf(blob))
    }
  if (model) put('model.safetensors', await bytesOf(model))
  zip.end()
  return new Blob(parts, { type: 'application/zip' })
}

/**
 * A zip's pictures, some at a time, each with the class that its folder stands for; the model, if there is one.
 *
 * @param {Blob} file
 */
export async function unpack(file) {
  const zipped = await bytesOf(file)
  /** @type {string[]} */
  const names = []
  extract(zipped, ({ name, originalSize }) => {
    if (originalSize <= LARGEST && !name.startsWith('__MACOSX/') && !name.endsWith('/')) names.push(name)
    return false
  })
  const classNames = readClasses(extract(zipped, ({ name }) => name === 'project.json')['project.json'])
  const pictures = names.filter((name) => name.includes('/') && isPicture({ name: /** @type {string} */ (name.split('/').at(-1)) }))
  const model = extract(zipped, ({ name }) => name === 'model.safetensors' && names.includes(name))['model.safetensors']

  function* batches() {
    for (let start = 0; start < pictures.length; start += AT_A_TIME) {
      const wanted = new Set(pictures.slice(start, start + AT_A_TIME))
      for (const [path, bytes] of Object.entries(extract(zipped, ({ name }) => wanted.has(name)))) {
        const [folder, name] = path.split('/').slice(-2)
        yield { file: new File([bytes], name, { type: typeOf(name) }), folder: classNames.get(folder) ?? folder }
      }
    }
  }
  return {
    count: pictures.length,
    /** The classes in their order, empty ones too. */
    classes: [...classNames.values()],
    pictures: batches(),
    model: model && new File([model], 'model.safetensors'),
  }
}

/**
 * @param {Uint8Array} zipped
 * @param {(file: UnzipFileInfo) => boolean} filter
 */
function extract(zipped, filter) {
  try {
    return /** @type {{ [path: string]: Uint8Array<ArrayBuffer> }} */ (unzipSync(zipped, { filter }))
  } catch (thrown) {
    throw new ConvletError('file', `The zip cannot be read (${messageOf(thrown)}).`, { cause: thrown })
  }
}

/**
 * @param {Uint8Array | undefined} json of `project.json`; a zip of plain folders has none
 * @returns {Map<string, string>} the classes' names by their folders
 */
function readClasses(json) {
  /** @type {Map<string, string>} */
  const names = new Map()
  if (!json) return names
  try {
    for (const { name, folder } of JSON.parse(new TextDecoder().decode(json)).classes) names.set(String(folder), String(name).slice(0, 60))
  } catch (thrown) {
    throw new ConvletError('file', `The project's list of classes cannot be read (${messageOf(thrown)}).`, { cause: thrown })
  }
  return names
}

/**
 * A folder's name for each class: such as every system allows, no two alike.
 *
 * @param {string[]} names
 */
function folderNames(names) {
  /** @type {Set<string>} */
  const taken = new Set()
  return names.map((name) => {
    const plain = name.replace(/[\\/:*?"<>|\x00-\x1f]|^\.+|[. ]+$/g, '_')
    let folder = plain
    for (let count = 2; taken.has(folder.toLowerCase()); count++) folder = `${plain} ${count}`
    taken.add(folder.toLowerCase())
    return folder
  })
}

/** @param {string} name */
function typeOf(name) {
  const extension = name.slice(name.lastIndexOf('.') + 1).toLowerCase()
  if (extension === 'svg') return 'image/svg+xml'
  return `image/${extension === 'jpg' ? 'jpeg' : extension}`
}

/** @param {Blob} blob */
const bytesOf = async (blob) => new Uint8Array(await blob.arrayBuffer())
