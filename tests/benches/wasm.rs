//! The cases for wasm.mjs, which keeps the time.

#[cfg(target_family = "wasm")]
mod cases;

/// The list of cases, behind JavaScript's interface.
#[cfg(target_family = "wasm")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub struct Cases(Vec<cases::Case>);

#[cfg(target_family = "wasm")]
#[wasm_bindgen::prelude::wasm_bindgen]
impl Cases {
    /// Prepares every case.
    #[wasm_bindgen::prelude::wasm_bindgen(constructor)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Cases {
        Cases(cases::cases())
    }
    /// How many.
    #[wasm_bindgen::prelude::wasm_bindgen(getter)]
    pub fn length(&self) -> usize {
        self.0.len()
    }
    /// Kernel and shape of case `i`.
    pub fn name(&self, i: usize) -> String {
        self.0[i].name.clone()
    }
    /// Floating-point operations of a run of case `i`.
    pub fn flop(&self, i: usize) -> f64 {
        self.0[i].flop
    }
    /// Runs case `i` that often.
    pub fn run(&mut self, i: usize, times: usize) {
        for _ in 0..times {
            (self.0[i].run)();
        }
    }
}
