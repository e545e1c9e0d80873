//! The native command from end to end, on pictures made here.
#![cfg(all(feature = "cli", not(target_family = "wasm")))]

#[macro_use]
mod support;

mod models;
mod refusals;
mod training;
