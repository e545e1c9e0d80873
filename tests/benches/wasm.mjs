// node wasm.mjs [--relaxed] [WORD...]: builds the cases of cases.rs for WebAssembly and times those whose name holds a
// word, in headless Chromium (CHROMIUM names another one). Prints GFLOP/s, share of the micro-kernel's ceiling in the
// same rounds, and milliseconds. The fastest round counts: whatever else runs on the machine only slows one down.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const words = process.argv.slice(2).filter((word) => word !== "--relaxed");
const relaxed = process.argv.includes("--relaxed");
const root = fileURLToPath(new URL("../..", import.meta.url));
const target = join(root, relaxed ? "target/bench-relaxed" : "target/bench-strict");
const features = "-Ctarget-feature=+simd128" + (relaxed ? ",+relaxed-simd" : "");
const options = { cwd: root, stdio: ["ignore", "inherit", "inherit"] };
execFileSync(
  "cargo",
  ["build", "--quiet", "--profile=wasm", "--target=wasm32-unknown-unknown", "--no-default-features", "--features=wasm,train"]
    .concat("--example=wasm-bench", `--target-dir=${target}`),
  { ...options, env: { ...process.env, RUSTFLAGS: features } },
);
const temporary = mkdtempSync(join(tmpdir(), "convlet-bench-"));
const wasm = join(target, "wasm32-unknown-unknown/wasm/examples/wasm_bench.wasm");
execFileSync("wasm-bindgen", ["--target=web", `--out-dir=${temporary}`, wasm], options);

/** Runs in the page. Returns [name, flop, fastest milliseconds] of the chosen cases, the ceiling first. */
async function measure(words) {
  const { default: init, Cases } = await import("./wasm_bench.js");
  await init();
  const cases = new Cases();
  const chosen = Array.from({ length: cases.length }, (_, i) => i).filter(
    (i) => i === 0 || words.length === 0 || words.some((word) => cases.name(i).includes(word)),
  );
  const time = (i, times) => {
    const start = performance.now();
    cases.run(i, times);
    return (performance.now() - start) / times;
  };
  // Warm up until the optimising compiler is done, then let a sample last for 0.4 ms: less than a slice of the
  // processor's time.
  const rows = chosen.map((i) => {
    for (const end = performance.now() + 100; performance.now() < end; ) cases.run(i, 1);
    return { i, times: Math.max(1, Math.round(0.4 / time(i, 3))), fastest: Infinity };
  });
  for (let round = 0; round < 150; round++) {
    for (const row of rows) row.fastest = Math.min(row.fastest, time(row.i, row.times));
  }
  return rows.map(({ i, fastest }) => [cases.name(i), cases.flop(i), fastest]);
}

const page = `<script type="module">${measure}
const result = await measure(${JSON.stringify(words)}).catch(String);
await fetch("result", { method: "POST", body: JSON.stringify(result) });</script>`;
const types = { js: "text/javascript", wasm: "application/wasm" };
// Isolated from other origins, the page's clock ticks in microseconds.
const isolated = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
const result = await new Promise((resolve) => {
  const server = createServer((request, response) => {
    const name = request.url.slice(1);
    if (name === "result") {
      let body = "";
      request.on("data", (chunk) => (body += chunk)).on("end", () => {
        response.end();
        server.close();
        browser.kill();
        browser.on("exit", () => resolve(JSON.parse(body)));
      });
    } else if (/^wasm_bench\w*\.(js|wasm)$/.test(name)) {
      response.writeHead(200, { ...isolated, "Content-Type": types[name.split(".")[1]] });
      response.end(readFileSync(join(temporary, name)));
    } else {
      response.writeHead(200, { ...isolated, "Content-Type": "text/html" }).end(page);
    }
  });
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", `--user-data-dir=${join(temporary, "profile")}`];
  let browser;
  server.listen(0, "127.0.0.1", () => {
    const address = `http://127.0.0.1:${server.address().port}/`;
    browser = spawn(process.env.CHROMIUM ?? "chromium", [...flags, address], { stdio: "ignore" });
  });
});
rmSync(temporary, { recursive: true, force: true, maxRetries: 5 });
if (typeof result === "string") throw new Error(result);

const ceiling = result[0][1] / result[0][2];
console.log(`${relaxed ? "relaxed" : "strict"}\nGFLOP/s   share      ms`);
for (const [name, flop, ms] of result) {
  const figures = [(flop / ms / 1e6).toFixed(1), (flop / ms / ceiling).toFixed(2), ms.toFixed(4)];
  console.log(figures.map((figure) => figure.padStart(7)).join(" "), ` ${name}`);
}
