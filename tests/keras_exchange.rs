//! Runs `keras_exchange.py` where Python has Keras: `KERAS_PYTHON` names that Python, else it is `python3`.
#![cfg(feature = "cli")]

use std::process::Command;

#[test]
fn keras_and_convlet_read_each_other() {
    let python = std::env::var("KERAS_PYTHON").unwrap_or_else(|_| "python3".into());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keras_exchange.py");
    let output = match Command::new(python).args([script, env!("CARGO_BIN_EXE_convlet")]).output() {
        Ok(output) => output,
        Err(error) => return eprintln!("skipped: no Python ({error})"),
    };
    print!("{}", String::from_utf8_lossy(&output.stdout));
    match output.status.code() {
        Some(0) => {}
        Some(77) => eprintln!("skipped: Keras is not installed"),
        _ => panic!("{}", String::from_utf8_lossy(&output.stderr)),
    }
}
