const packages = new URL('../node_modules/', import.meta.url)

/** The address of a file in a package. */
export const packaged = (path) => new URL(path, packages).href

/** Runs a script that is no module. */
export function runScript(path) {
  return new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement('script'), { src: packaged(path) })
    script.addEventListener('load', () => resolve(undefined))
    script.addEventListener('error', () => reject(new Error(`${path} cannot be loaded`)))
    document.head.append(script)
  })
}
