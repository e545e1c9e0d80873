// node growth.mjs: how time and memory grow with batch, image side and width of the article's network, in the strict
// WebAssembly build of www/pkg (bash www/build-wasm), run by Node. Prints the tables of README.md. The fastest run
// counts: whatever else the machine does only slows one down.
import { readFileSync } from "node:fs";

const pkg = new URL("../../www/pkg/", import.meta.url);
const { initSync, Network } = await import(new URL("convlet.js", pkg).href);
const { memory } = initSync({ module: readFileSync(new URL("convlet_bg.wasm", pkg)) });

/** Two pairs of Conv2D and MaxPooling2D of `width` channels, Dense(128), Dense(1), on pictures of `side` pixels. */
function article(side, width) {
  const conv2d = { filters: width, kernel_size: [3, 3], activation: "relu" };
  const pool = { pool_size: [2, 2] };
  const layers = [
    ["InputLayer", { batch_shape: [null, side, side, 3] }],
    ["Conv2D", conv2d], ["MaxPooling2D", pool], ["Conv2D", conv2d], ["MaxPooling2D", pool],
    ["Flatten", {}], ["Dense", { units: 128, activation: "relu" }], ["Dense", { units: 1, activation: "sigmoid" }],
  ].map(([class_name, config], index) => ({ class_name, config: { name: `layer_${index}`, ...config } }));
  return JSON.stringify({ class_name: "Sequential", config: { name: "article", layers } });
}

/** Floating-point operations an image: forward, and a training step. */
function flop(side, width) {
  const [first, second] = [side - 2, Math.floor((side - 2) / 2) - 2];
  const flat = Math.floor(second / 2) ** 2 * width;
  const conv2d = 2 * first ** 2 * width * 27;
  const forward = conv2d + 2 * second ** 2 * width * width * 9 + 2 * flat * 128 + 256;
  return { forward, training: 3 * forward - conv2d };
}

/** Milliseconds of the fastest run, of as many as take half a second and at least three. */
function fastest(run) {
  run();
  let best = Infinity;
  const end = performance.now() + 500;
  for (let runs = 0; runs < 3 || performance.now() < end; runs++) {
    const start = performance.now();
    run();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

function row(value, n, side, width) {
  const network = Network.fromArchitecture(article(side, width), 1);
  const x = Float32Array.from({ length: n * side * side * 3 }, (_, i) => (Math.imul(i, 2654435761) >>> 8) / 2 ** 24);
  const y = Float32Array.from({ length: n }, (_, i) => i % 2);
  const inference = fastest(() => network.predict(x, n)) / n;
  const training = fastest(() => network.trainOnBatch(x, y)) / n;
  network.free();
  const cost = flop(side, width);
  const figures = [
    value,
    (cost.forward / 1e6).toFixed(1),
    inference.toFixed(3),
    (cost.forward / inference / 1e6).toFixed(1),
    training.toFixed(2),
    (cost.training / training / 1e6).toFixed(1),
  ];
  console.log(`| ${figures.join(" | ")} |`);
}

function table(what, values, measure) {
  console.log(`\n| ${what} | MFLOP forward | inference, ms | GFLOP/s | training, ms | GFLOP/s |\n|${" ---: |".repeat(6)}`);
  for (const value of values) measure(value);
}

// From small to large: wasm's memory never shrinks, and the JIT is warm by the second row.
row("warm-up", 8, 64, 32);
table("batch", [1, 2, 4, 8, 16, 32, 64, 128, 256], (n) => row(n, n, 64, 32));
table("side", [32, 48, 64, 96, 128, 160, 224], (side) => row(side, 8, side, 32));
table("width", [8, 16, 32, 64, 96, 128], (width) => row(width, 8, 64, width));
console.log(`\nwasm memory at the end: ${(memory.buffer.byteLength / 2 ** 20).toFixed(0)} MiB`);
