//! Trainings: begun, repeated, interrupted, gone on with.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use convlet::rng::Rng;
use serde_json::json;

use crate::support::{architecture, folders, json_of, picture, place, run, succeeds};

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
