/** The studio: collect pictures, train a network on them, judge it, keep it. */
import { ConvletError, messageOf } from '../client/errors.js'
import { Answer } from '../page/answer.js'
import { byId } from '../page/dom.js'
import { Inside } from '../page/inside.js'
import { Notice } from '../page/notice.js'
import '../page/offline.js'
import { Seen } from '../page/seen.js'
import { Stage } from '../page/stage.js'
import { CameraPanel } from './camera-panel.js'
import { CollectPanel } from './collect-panel.js'
import { JudgePanel } from './judge-panel.js'
import { KeepPanel } from './keep-panel.js'
import { Live } from './live.js'
import { LookInside } from './look-inside.js'
import { Project } from './project.js'
import { Recorder } from './recorder.js'
import { Settings } from './settings.js'
import { Store } from './store.js'
import { holdProject } from './tab-lock.js'
import { TabStore } from './tab-store.js'
import { TrainPanel } from './train-panel.js'
import { Training } from './training.js'
import { Undo } from './undo.js'

const notice = new Notice()
/** @param {unknown} thrown */
const onError = (thrown) => notice.show(thrown)

/** The steps show themselves at once, where they stay. */
const ready = () => byId('studio', HTMLElement).removeAttribute('aria-busy')

/** Ends what this tab does with the project. */
let letGo = () => {}

/** Another tab has the project, or took it: nothing here may change it. */
function standAside() {
  letGo()
  ready()
  byId('studio', HTMLElement).inert = true
  byId('elsewhere', HTMLElement).hidden = false
  byId('take-over', HTMLButtonElement).focus()
}

/**
 * A browser that keeps nothing is no reason not to teach.
 *
 * @param {unknown} thrown
 */
function standIn(thrown) {
  const lasts = 'What you collect lasts until this tab is closed: save the project to have it afterwards.'
  onError(new ConvletError('storage', `${messageOf(thrown)} ${lasts}`, { cause: thrown }))
  return new TabStore()
}

/** All parts, over what this browser keeps. */
async function start() {
  const store = await Store.open().catch(standIn)
  const project = await Project.open(store)
  const settings = new Settings(store, await store.get('settings'), onError)
  const training = new Training(project, store)
  const interrupted = await training.restore()

  const stage = new Stage()
  const camera = new CameraPanel(stage, onError)
  letGo = () => {
    training.abandon()
    store.close()
    camera.stop()
  }
  const undo = new Undo(onError)
  const live = new Live({
    training,
    camera,
    answer: new Answer(),
    seen: new Seen(),
    threshold: () => settings.values.threshold,
    onError,
  })

  const lookInside = new LookInside({ training, project, live, inside: new Inside(onError) })

  /** @param {Blob} blob @param {string} description */
  const look = async (blob, description) => {
    try {
      await stage.showStill(URL.createObjectURL(blob), description)
      camera.stop()
      await live.look(blob)
      await lookInside.look()
    } catch (thrown) {
      onError(thrown)
    }
  }
  /** @param {number} id */
  const open = async (id) => {
    const blob = await project.blob(id)
    if (blob) await look(blob, `A picture of ${project.classOf(id)?.name ?? 'a class'}`)
  }
  /** @param {Blob} file */
  const useBase = (file) => {
    train.useBase(file)
    store.set('base', file).catch(onError)
  }

  const collect = new CollectPanel({
    project,
    recorder: new Recorder(camera, project, onError),
    undo,
    open,
    look: (file) => look(file, file.name || 'The pasted picture'),
    useBase,
    adopt: (file) => training.adopt(file),
    onAdded: () => keep.persist(),
    onError,
  })
  const train = new TrainPanel({ project, training, settings, onError })
  const ownBase = await store.get('base')
  if (ownBase) train.useBase(ownBase)
  new JudgePanel({
    project,
    training,
    settings,
    actions: {
      open,
      movePictures: (ids, classId) => collect.movePictures(ids, classId),
      removePictures: (ids) => collect.removePictures(ids),
    },
  })
  const keep = new KeepPanel({ project, training, store, onOpen: (file) => collect.take([{ file }]), onError })
  ready()
  if (interrupted) await train.goOn()
}

/** @param {boolean} steal */
async function enter(steal) {
  try {
    if (!(await holdProject({ steal, onTaken: standAside }))) return standAside()
    if (location.hash === '#deleted') {
      byId('deleted', HTMLElement).hidden = false
      history.replaceState(null, '', location.pathname)
    }
    byId('elsewhere', HTMLElement).hidden = true
    byId('studio', HTMLElement).inert = false
    await start()
  } catch (thrown) {
    ready()
    onError(thrown instanceof ConvletError ? thrown : new ConvletError('storage', `The studio cannot start: ${thrown}`, { cause: thrown }))
  }
}

// A tab that lost the project comes back as a fresh page: it may have changed meanwhile.
byId('take-over', HTMLButtonElement).addEventListener('click', () => {
  sessionStorage.setItem('take-over', 'yes')
  location.reload()
})
const steal = sessionStorage.getItem('take-over') === 'yes'
sessionStorage.removeItem('take-over')
enter(steal)
