//! What is done with a trained network.

use std::fs;

use image::{Rgb, RgbImage};
use serde_json::json;

use crate::support::{architecture, folders, json_of, place, succeeds};

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
