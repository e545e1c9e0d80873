//! Pictures, a small network, and the command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use convlet::architecture::{Architecture, LayerSpec};
use convlet::rng::Rng;
use image::{Rgb, RgbImage};
use serde_json::{Value, json};

/// A fresh directory of this test's own.
pub fn place(name: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(&place).unwrap();
    place
}

/// Noise around a grey level, as PNG, JPEG or WebP.
pub fn picture(file: &Path, level: u8, rng: &mut Rng) {
    let mut noise = |_| level + rng.below(60) as u8;
    RgbImage::from_fn(11, 9, |_, _| Rgb([0; 3].map(&mut noise))).save(file).unwrap();
}

/// A folder of dark and one of bright pictures.
pub fn folders(directory: &Path, count: usize, seed: u64) -> PathBuf {
    let mut rng = Rng::new(seed);
    for (label, level) in [("dark", 20), ("bright", 180)] {
        let folder = directory.join(label);
        fs::create_dir_all(&folder).unwrap();
        for i in 0..count {
            let extension = ["png", "jpg", "webp"][i % 3];
            picture(&folder.join(format!("{i}.{extension}")), level, &mut rng);
        }
    }
    directory.to_path_buf()
}

/// A small network, as a file of Keras's JSON.
pub fn architecture(directory: &Path, outputs: usize, activation: &str) -> PathBuf {
    let layers = vec![
        LayerSpec::new("Conv2D", json!({"filters": 4, "kernel_size": 3, "activation": "relu"})),
        LayerSpec::new("MaxPooling2D", json!({"pool_size": 2})),
        LayerSpec::new("Flatten", json!({})),
        LayerSpec::new("Dense", json!({"units": outputs, "activation": activation})),
    ];
    let file = directory.join(format!("{outputs}.json"));
    let architecture = Architecture::sequential([8, 8, 3], layers).unwrap();
    fs::write(&file, architecture.to_json().to_string()).unwrap();
    file
}

macro_rules! convlet {
    ($($argument:expr),* $(,)?) => {{
        let arguments: Vec<std::ffi::OsString> =
            vec![$(AsRef::<std::ffi::OsStr>::as_ref(&$argument).into()),*];
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_convlet"));
        command.args(arguments);
        command
    }};
}

pub fn run(mut command: Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

pub fn succeeds(command: Command) -> String {
    let (code, stdout, stderr) = run(command);
    assert_eq!(code, Some(0), "{stderr}");
    stdout
}

pub fn json_of(command: Command) -> Value {
    serde_json::from_str(&succeeds(command)).unwrap()
}
