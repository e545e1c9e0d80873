//! Odd pictures, and bad input of every kind.

use std::fs;

use convlet::rng::Rng;
use image::{Rgb, RgbImage};
use serde_json::Value;

use crate::support::{architecture, folders, json_of, picture, place, run, succeeds};

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
