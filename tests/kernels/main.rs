//! The fast kernels against their textbook twins, and the twins against finite differences.
//!
//! In the strict build a kernel and its twin agree to the last bit; the relaxed one is held to reduction length x
//! epsilon x largest product. Sizes are drawn from a tile less one to several tiles, primes and zeros among them.
#![cfg(not(target_family = "wasm"))]

mod activation;
mod batch_normalization;
mod common;
mod conv2d;
mod dense;
mod depthwise_conv2d;
mod elementwise;
mod gradients;
mod pool;

/// All of these tests once more on four lanes, as in WebAssembly, where this machine would use eight.
#[cfg(target_arch = "x86_64")]
#[test]
fn narrow_lanes() {
    if std::env::var_os("CONVLET_LANES").is_some() {
        return;
    }
    let tests = std::env::current_exe().expect("the path of this test");
    let output = std::process::Command::new(tests).env("CONVLET_LANES", "4").output();
    let output = output.expect("this test can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
