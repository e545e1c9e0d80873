//! The native command from end to end, on pictures made here.
#![cfg(all(feature = "cli", not(target_family = "wasm")))]

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use convlet::architecture::{Architecture, LayerSpec};
use convlet::rng::Rng;
use image::{Rgb, RgbImage};
use serde_json::{Value, json};

/// A fresh directory of this test's own.
fn place(name: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(&place).unwrap();
    place
}

/// Noise around a grey level, as PNG, JPEG or WebP.
fn picture(file: &Path, level: u8, rng: &mut Rng) {
    let mut noise = |_| level + rng.below(60) as u8;
    RgbImage::from_fn(11, 9, |_, _| Rgb([0; 3].map(&mut noise))).save(file).unwrap();
}

/// A folder of dark and one of bright pictures.
fn folders(directory: &Path, count: usize, seed: u64) -> PathBuf {
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
fn architecture(directory: &Path, outputs: usize, activation: &str) -> PathBuf {
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
        let arguments: Vec<OsString> = vec![$(AsRef::<OsStr>::as_ref(&$argument).into()),*];
        let mut command = Command::new(env!("CARGO_BIN_EXE_convlet"));
        command.args(arguments);
        command
    }};
}

fn run(mut command: Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

fn succeeds(command: Command) -> String {
    let (code, stdout, stderr) = run(command);
    assert_eq!(code, Some(0), "{stderr}");
    stdout
}

fn json_of(command: Command) -> Value {
    serde_json::from_str(&succeeds(command)).unwrap()
}

#[test]
fn from_folders_to_predictions() {
    let at = place("whole");
    let data = folders(&at.join("train"), 24, 1);
    let validation = folders(&at.join("validation"), 9, 2);
    let network = architecture(&at, 1, "sigmoid");
    let model = at.join("model.safetensors");
    let said = succeeds(convlet!(
        "train",
        data,
        "--validation",
        validation,
        "--architecture",
        network,
        "--epochs",
        "8",
        "--learning-rate",
        "0.01",
        "--batch-size",
        "8",
        "--out",
        model,
    ));
    assert!(said.contains("model.safetensors"), "{said}");

    let history = fs::read_to_string(at.join("model.csv")).unwrap();
    let lines: Vec<&str> = history.lines().collect();
    assert_eq!((lines.len(), lines[0]), (9, "epoch,loss,accuracy,val_loss,val_accuracy"));
    let last: Vec<f32> = lines[8].split(',').map(|figure| figure.parse().unwrap()).collect();
    let plot = fs::read_to_string(at.join("model.svg")).unwrap();
    assert!(plot.starts_with("<svg") && plot.contains("validation") && plot.contains("polyline"));

    let (curves, kernels) = (at.join("curves.svg"), at.join("kernels.svg"));
    succeeds(convlet!("plot", model, "--curves", curves, "--kernels", kernels));
    assert_eq!(fs::read_to_string(curves).unwrap(), plot);
    // The ground, and a square for every weight's three colours.
    let kernels = fs::read_to_string(kernels).unwrap();
    assert_eq!(kernels.matches("<rect").count(), 1 + 4 * 9);

    let figures = json_of(convlet!("evaluate", model, validation, "--json"));
    assert_eq!(figures["count"], 18);
    assert_eq!(figures["labels"], json!(["bright", "dark"]));
    // Bit for bit what training measured after its last epoch.
    let measured = |figure: &str| figures[figure].as_f64().unwrap() as f32;
    assert_eq!([measured("loss"), measured("accuracy")], [last[3], last[4]]);
    assert_eq!(figures["accuracy"], 1.0, "{history}");
    assert_eq!(figures["confusion"], json!([[9, 0], [0, 9]]));
    // All are right, so the error is what their confidences lack of 1.
    let error = figures["expected_calibration_error"].as_f64().unwrap();
    assert!(error > 0.0 && error <= 1.0 - (-measured("loss")).exp() as f64 + 1e-6, "{error}");

    let dark = validation.join("dark/0.png");
    let bright = validation.join("bright/1.jpg");
    let results = json_of(convlet!("predict", model, dark, bright, "--json"));
    for (i, (file, label, other)) in
        [(&dark, "dark", "bright"), (&bright, "bright", "dark")].into_iter().enumerate()
    {
        let predictions = &results[i]["predictions"];
        assert_eq!(results[i]["file"], file.to_str().unwrap());
        assert_eq!([&predictions[0]["label"], &predictions[1]["label"]], [label, other]);
        let confidence = |i: usize| predictions[i]["confidence"].as_f64().unwrap();
        assert!(confidence(0) > 0.5 && (confidence(0) + confidence(1) - 1.0).abs() < 1e-6);
    }
    let first = json_of(convlet!("predict", model, dark, "--json", "--top-k", "1"));
    assert_eq!(first[0]["predictions"].as_array().unwrap().len(), 1);

    let summary = json_of(convlet!("summary", model, "--json"));
    assert_eq!(summary["parameters"], 4 * 28 + 36 + 1);
    let training = &summary["training"];
    assert_eq!(training["history"]["val_loss"].as_array().unwrap().len(), 8);
    let command = training["command"].as_str().unwrap();
    assert!(command.starts_with("convlet train") && !command.contains("--out"), "{command}");
    assert!(succeeds(convlet!("summary", model)).contains("conv2d (Conv2D)"));
    assert!(succeeds(convlet!("summary", "article")).contains("813,217"));
}

#[test]
fn calibrated_models_refuse_what_they_do_not_know() {
    let at = place("calibrated");
    let data = folders(&at.join("train"), 24, 9);
    let validation = folders(&at.join("validation"), 20, 10);
    let network = architecture(&at, 1, "sigmoid");
    let model = at.join("model.safetensors");
    succeeds(convlet!("train", data, "--architecture", network, "--epochs", "2", "--out", model));
    let dark = validation.join("dark/0.png");
    let before = json_of(convlet!("predict", model, dark, "--json"));
    assert_eq!(before[0].get("none_of_these"), None);

    // Stripes are like neither noise.
    let stripes = at.join("stripes.png");
    let stripe = |x, _| if x % 2 == 0 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) };
    RgbImage::from_fn(8, 8, stripe).save(&stripes).unwrap();
    let unlike = at.join("unlike");
    for name in ["a", "b"] {
        fs::create_dir_all(unlike.join(name)).unwrap();
        fs::copy(&stripes, unlike.join(name).join("stripes.png")).unwrap();
    }
    let said = succeeds(convlet!(
        "calibrate",
        model,
        data,
        "--validation",
        validation,
        "--keep",
        "0.9",
        "--unlike",
        unlike,
    ));
    assert!(said.contains("100.0 % none of these"), "{said}");
    let figures = json_of(convlet!("evaluate", model, validation, "--json"));
    assert!(figures["refused"].as_f64().unwrap() <= 0.1 + 1e-6, "{figures}");
    let answers = json_of(convlet!("predict", model, dark, stripes, "--json"));
    assert_eq!(answers[0]["none_of_these"], false, "{answers}");
    assert_eq!(answers[1]["none_of_these"], true, "{answers}");
    assert!(succeeds(convlet!("predict", model, stripes)).contains("none of these"));
}

#[test]
fn a_training_can_begin_with_the_weights_of_another() {
    let at = place("weights");
    let data = folders(&at.join("train"), 12, 21);
    let network = architecture(&at, 1, "sigmoid");
    let (first, second) = (at.join("first.safetensors"), at.join("second.safetensors"));
    succeeds(convlet!("train", data, "--architecture", network, "--epochs", "2", "--out", first));
    let rate = ["--learning-rate", "1e-30"];
    succeeds(convlet!(
        "train",
        data,
        "--weights",
        first,
        "--epochs",
        "1",
        rate[0],
        rate[1],
        "--out",
        second
    ));
    // At next to no rate the weights stay, and with them what is measured.
    let [before, after] =
        [&first, &second].map(|model| json_of(convlet!("evaluate", model, data, "--json")));
    assert_eq!(before["loss"], after["loss"]);
    let training = json_of(convlet!("summary", second, "--json"))["training"].clone();
    assert_eq!(training["before"]["history"]["loss"].as_array().unwrap().len(), 2);

    fs::rename(data.join("dark"), data.join("dim")).unwrap();
    let (code, _, stderr) = run(convlet!("train", data, "--weights", first, "--out", second));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("expected folders named bright, dark, got bright, dim"), "{stderr}");
}

#[test]
fn mistakes_are_listed() {
    let at = place("mistakes");
    let data = folders(&at.join("data"), 12, 11);
    let network = architecture(&at, 1, "sigmoid");
    let model = at.join("model.safetensors");
    succeeds(convlet!(
        "train",
        data,
        "--architecture",
        network,
        "--epochs",
        "8",
        "--batch-size",
        "4",
        "--learning-rate",
        "0.01",
        "--out",
        model,
    ));
    let stray = data.join("bright/stray.png");
    fs::copy(data.join("dark/0.png"), &stray).unwrap();
    let list = at.join("mistakes.csv");
    succeeds(convlet!("evaluate", model, data, "--mistakes", list));
    let expected = format!("file,label,predicted\n\"{}\",bright,dark\n", stray.display());
    assert_eq!(fs::read_to_string(list).unwrap(), expected);
}

#[test]
fn one_seed_gives_one_file() {
    let at = place("seed");
    let data = folders(&at.join("data"), 9, 3);
    let network = architecture(&at, 2, "softmax");
    let train = |name: &str, seed: &str, threads: &str| {
        let out = at.join(name);
        succeeds(convlet!(
            "train",
            data,
            "--validation-split",
            "0.2",
            "--architecture",
            network,
            "--epochs",
            "2",
            "--batch-size",
            "4",
            "--rotation-range",
            "20",
            "--brightness-range",
            "0.3",
            "--schedule",
            "one-cycle",
            "--ema-momentum",
            "0.9",
            "--mix-up",
            "0.2",
            "--seed",
            seed,
            "--threads",
            threads,
            "--out",
            out,
        ));
        fs::read(out).unwrap()
    };
    let first = train("a.safetensors", "1", "1");
    assert!(first == train("b.safetensors", "1", "2"), "threads changed the result");
    assert!(first != train("c.safetensors", "2", "1"), "the seed changed nothing");
}

#[test]
fn three_classes_and_all_options() {
    let at = place("options");
    let data = folders(&at.join("data"), 6, 4);
    fs::create_dir(data.join("middle")).unwrap();
    fs::create_dir(data.join(".hidden")).unwrap();
    picture(&data.join("middle/0.png"), 100, &mut Rng::new(1));
    let model = at.join("model.safetensors");
    succeeds(convlet!(
        "train",
        data,
        "--input-size",
        "12",
        "--epochs",
        "1",
        "--resize",
        "crop",
        "--optimizer",
        "sgd",
        "--momentum",
        "0.9",
        "--no-augment",
        "--out",
        model,
    ));
    let summary = json_of(convlet!("summary", model, "--json"));
    assert_eq!(summary["labels"], json!(["bright", "dark", "middle"]));
    assert_eq!(summary["input"]["resize"], "crop");
    assert_eq!(summary["input_shape"], json!([12, 12, 3]));
    assert_eq!(summary["training"]["history"]["val_loss"], json!([null]));
    let figures = json_of(convlet!("evaluate", model, data, "--json"));
    assert_eq!(figures["count"], 13);
}

#[test]
fn unreadable_pictures_are_named_counted_and_skipped() {
    let at = place("unreadable");
    let data = folders(&at.join("data"), 4, 5);
    fs::write(data.join("dark/broken.jpg"), "not a picture").unwrap();
    let whole = fs::read(data.join("bright/0.png")).unwrap();
    fs::write(data.join("bright/cut.png"), &whole[..whole.len() / 2]).unwrap();
    let network = architecture(&at, 1, "sigmoid");
    let out = at.join("model.safetensors");
    let train =
        || convlet!("train", data, "--architecture", network, "--epochs", "1", "--out", out);
    let (code, _, said) = run(train());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("broken.jpg") && said.contains("cut.png"), "{said}");
    assert!(said.contains("8 pictures") && said.contains("2 unreadable"), "{said}");
    fs::remove_file(&out).unwrap();
    let mut strict = train();
    strict.arg("--strict");
    let (code, _, said) = run(strict);
    assert_eq!(code, Some(1));
    assert!(said.contains("error: ") && said.contains("cut.png"), "{said}");
    assert!(!out.exists());
}

/// Every refusal: its exit code, and what the message has to name.
#[test]
fn bad_input_is_refused_with_what_was_expected() {
    let at = place("bad");
    let data = folders(&at.join("data"), 3, 6);
    let network = architecture(&at, 1, "sigmoid");
    let three = architecture(&at, 3, "softmax");
    let seven = architecture(&at, 7, "softmax");
    let single = at.join("single");
    fs::create_dir_all(single.join("only")).unwrap();
    picture(&single.join("only/0.png"), 9, &mut Rng::new(1));
    let empty = folders(&at.join("empty"), 1, 1);
    fs::create_dir(empty.join("nothing")).unwrap();
    let unreadable = folders(&at.join("unreadable"), 1, 1);
    fs::create_dir(unreadable.join("text")).unwrap();
    fs::write(unreadable.join("text/a.png"), "text").unwrap();
    let files = at.join("files");
    fs::create_dir(&files).unwrap();
    fs::write(files.join("a.txt"), "text").unwrap();
    let other = folders(&at.join("other"), 1, 1);
    fs::rename(other.join("dark"), other.join("wolf")).unwrap();
    let page = at.join("page.safetensors");
    fs::write(&page, "<!doctype html><title>Not found</title>").unwrap();
    let model = at.join("model.safetensors");
    succeeds(convlet!("train", data, "--architecture", network, "--epochs", "1", "--out", model));
    let cut = at.join("cut.safetensors");
    fs::write(&cut, &fs::read(&model).unwrap()[..200]).unwrap();
    let text = files.join("a.txt");
    let one = data.join("dark/0.png");
    let nowhere = at.join("nowhere");

    for (command, code, expected) in [
        (convlet!(), 2, "Usage"),
        (convlet!("train"), 2, "<DIRECTORY>"),
        (convlet!("train", data, "--epochs", "0"), 2, "whole number from 1 up"),
        (convlet!("train", data, "--learning-rate", "NaN"), 2, "above 0"),
        (convlet!("train", data, "--zoom-range", "1.2,0.8"), 2, "lower factor first"),
        (convlet!("train", data, "--validation-split", "1"), 2, "below 1"),
        (convlet!("predict", model), 2, "<IMAGES>"),
        (convlet!("train", nowhere), 1, "one folder a class"),
        (convlet!("train", files), 1, "got no folder"),
        (convlet!("train", single), 1, "at least two classes, got one: only"),
        (convlet!("train", empty), 1, "nothing: expected pictures"),
        (convlet!("train", unreadable, "--architecture", three), 1, "none that can be read"),
        (convlet!("train", data, "--validation", other), 1, "bright, dark, got wolf"),
        (convlet!("train", data, "--architecture", nowhere), 1, "expected article, pets or a file"),
        (convlet!("train", data, "--architecture", seven), 1, "expected 2 outputs"),
        (
            convlet!("train", data, "--architecture", network, "--input-size", "9"),
            1,
            "--input-size",
        ),
        (convlet!("train", data, "--out", nowhere.join("m")), 1, "directory that exists"),
        (convlet!("train", data, "--out", at.join("m.csv")), 1, "another ending"),
        (convlet!("train", data, "--ema-momentum", "1"), 2, "below 1"),
        (convlet!("evaluate", model, other), 1, "got wolf"),
        (convlet!("evaluate", nowhere, data), 1, "nowhere"),
        (convlet!("evaluate", page, data), 1, "page.safetensors"),
        (convlet!("predict", cut, one), 1, "cut.safetensors"),
        (convlet!("predict", model, text), 1, "a.txt: expected a picture"),
        (convlet!("predict", model, nowhere), 1, "nowhere"),
        (convlet!("summary", nowhere), 1, "nowhere"),
    ] {
        let (got, stdout, stderr) = run(command);
        assert_eq!(got, Some(code), "{expected}: {stdout}{stderr}");
        assert!(stderr.contains(expected), "expected {expected:?} in {stderr:?}");
        assert!(stderr.contains("error: ") || code == 2, "{stderr}");
    }

    // What can be read is still predicted.
    let (code, stdout, stderr) = run(convlet!("predict", model, text, one, "--json"));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("1 of 2 pictures"), "{stderr}");
    let results: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(results.as_array().unwrap().len(), 1);
}

#[test]
fn odd_pictures_are_classified() {
    let at = place("odd");
    let data = folders(&at.join("data"), 3, 7);
    let network = architecture(&at, 1, "sigmoid");
    let model = at.join("model.safetensors");
    succeeds(convlet!("train", data, "--architecture", network, "--epochs", "1", "--out", model));
    let save = |name: &str, picture: image::DynamicImage| {
        picture.save(at.join(name)).unwrap();
        at.join(name)
    };
    let clear = save("clear.png", image::RgbaImage::new(5, 5).into());
    let white = save("white.png", RgbImage::from_pixel(5, 5, Rgb([255; 3])).into());
    let grey = save("grey.png", image::GrayImage::new(1, 1).into());
    let long = save("long.png", RgbImage::new(6000, 1).into());
    let results = json_of(convlet!("predict", model, clear, white, grey, long, "--json"));
    assert_eq!(results[0]["predictions"], results[1]["predictions"]);
    assert_eq!(results[2]["predictions"], results[3]["predictions"]);
    assert_ne!(results[0]["predictions"], results[2]["predictions"]);
}

/// Runs until the third epoch is done, then presses Ctrl-C: what was said on standard output.
#[cfg(unix)]
fn interrupt(mut command: Command) -> String {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    said.find(|line| line.as_ref().unwrap().starts_with("epoch 3/")).unwrap().unwrap();
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert!(said.any(|line| line.unwrap().contains("stopping after this batch")));
    said.for_each(drop);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8(output.stdout).unwrap()
}

#[cfg(unix)]
#[test]
fn interrupted_training_writes_what_there_is_and_goes_on() {
    let at = place("interrupted");
    let data = folders(&at.join("data"), 40, 8);
    let network = architecture(&at, 1, "sigmoid");
    let train = |name: &str| {
        convlet!(
            "train",
            data,
            "--architecture",
            network,
            "--epochs",
            "60",
            "--batch-size",
            "1",
            "--schedule",
            "cosine",
            "--out",
            at.join(name),
        )
    };
    let said = interrupt(train("stopped.safetensors"));
    assert!(said.contains("stopped in epoch"), "{said}");
    let history = fs::read_to_string(at.join("stopped.csv")).unwrap();
    let epochs = history.lines().count() - 1;
    let summary = json_of(convlet!("summary", at.join("stopped.safetensors"), "--json"));
    assert_eq!(summary["training"]["history"]["loss"].as_array().unwrap().len(), epochs);
    assert!((3..60).contains(&epochs));

    let mut again = train("stopped.safetensors");
    again.arg("--resume");
    let (code, _, said) = run(again);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("going on after epoch"), "{said}");
    succeeds(train("whole.safetensors"));
    let model = |name| fs::read(at.join(name)).unwrap();
    assert!(model("stopped.safetensors") == model("whole.safetensors"), "going on changed it");

    fs::write(at.join("other.checkpoint"), "not a checkpoint").unwrap();
    let mut other = train("other.safetensors");
    other.arg("--resume");
    let (code, _, said) = run(other);
    assert_eq!(code, Some(1));
    assert!(said.contains("other.checkpoint"), "{said}");
}
