// node wasm.mjs [--relaxed] [WORD...]: builds the cases of cases.rs for WebAssembly and times those whose name holds a
// word. Prints GFLOP/s, share of the micro-kernel's ceiling in the same rounds, and milliseconds. Node's engine is
// Chromium's. The fastest round counts: whatever else runs on the machine only ever slows one down.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";

const ROUNDS = 150;
const words = process.argv.slice(2).filter((word) => word !== "--relaxed");
const relaxed = process.argv.includes("--relaxed");
const root = fileURLToPath(new URL("../..", import.meta.url));
const target = join(root, relaxed ? "target/bench-relaxed" : "target/bench-strict");
const features = "-Ctarget-feature=+simd128" + (relaxed ? ",+relaxed-simd" : "");
// Node 20 has relaxed SIMD behind a flag, later ones and browsers do not.
if (relaxed) setFlagsFromString("--experimental-wasm-relaxed-simd");
const options = { cwd: root, stdio: ["ignore", "inherit", "inherit"] };
execFileSync(
  "cargo",
  ["build", "--quiet", "--release", "--target=wasm32-unknown-unknown", "--no-default-features", "--features=wasm"]
    .concat("--example=wasm-bench", `--target-dir=${target}`),
  { ...options, env: { ...process.env, RUSTFLAGS: features } },
);
const out = mkdtempSync(join(tmpdir(), "convlet-bench-"));
const wasm = join(target, "wasm32-unknown-unknown/release/examples/wasm_bench.wasm");
execFileSync("wasm-bindgen", ["--target=nodejs", `--out-dir=${out}`, wasm], options);
const { Cases } = createRequire(import.meta.url)(join(out, "wasm_bench.js"));
rmSync(out, { recursive: true });

const cases = new Cases();
const chosen = Array.from({ length: cases.length }, (_, i) => i).filter(
  (i) => i === 0 || words.length === 0 || words.some((word) => cases.name(i).includes(word)),
);
/** Milliseconds of one of `times` runs. */
const time = (i, times) => {
  const start = performance.now();
  cases.run(i, times);
  return (performance.now() - start) / times;
};
// Warm up until the optimising compiler is done, then let a sample last for about 0.4 ms: less than a slice of processor time.
const rows = chosen.map((i) => {
  for (const end = performance.now() + 100; performance.now() < end; ) cases.run(i, 1);
  return { i, times: Math.max(1, Math.round(0.4 / time(i, 3))), samples: [] };
});
for (let round = 0; round < ROUNDS; round++) {
  for (const row of rows) row.samples.push(time(row.i, row.times));
}
const speed = ({ i, samples }) => cases.flop(i) / Math.min(...samples) / 1e6;
const ceiling = speed(rows[0]);
console.log(`${relaxed ? "relaxed" : "strict"}, fastest of ${ROUNDS} rounds`);
for (const row of rows) {
  const gflops = speed(row);
  const ms = cases.flop(row.i) / gflops / 1e6;
  const figures = [gflops.toFixed(1), (gflops / ceiling).toFixed(2), ms.toFixed(4)];
  console.log(figures.map((figure) => figure.padStart(8)).join(""), ` ${cases.name(row.i)}`);
}
