//! The model file: what is written is read, by us and by the safetensors crate; what Keras wrote is read; and whatever
//! is wrong with a file is named, without a panic.
#![cfg(not(target_family = "wasm"))]

use convlet::architecture::{Architecture, LayerSpec};
use convlet::error::ErrorKind;
use convlet::file::{MAX_HEADER, ModelFile, Storage, Weight};
use convlet::image::{Input, Resize};
use proptest::prelude::*;
use safetensors::SafeTensors;
use serde_json::{Value, json};

/// Written by Keras through the README's lines: `fixtures/make.py`.
const KERAS: &[u8] = include_bytes!("fixtures/keras.safetensors");

/// Flatten and Dense(1) over 1 x 2 grey pixels.
fn tiny() -> ModelFile {
    let layers = vec![
        LayerSpec::new("Flatten", json!({})),
        LayerSpec::new("Dense", json!({"units": 1, "activation": "sigmoid"})),
    ];
    let weight = |name: &str, shape: &[usize], values: &[f32]| Weight {
        name: name.into(),
        shape: shape.into(),
        values: values.into(),
    };
    let training = json!({"command": "convlet train", "seed": 7, "history": {"loss": [0.7, 0.25]}});
    ModelFile {
        architecture: Architecture::sequential([1, 2, 1], layers).unwrap(),
        labels: vec!["<b>Katze</b>".into(), "犬".into()],
        input: Input { height: 1, width: 2, channels: 1, resize: Resize::Crop, rescale: 0.1 },
        training: training.as_object().unwrap().clone(),
        weights: vec![
            weight("dense/kernel", &[2, 1], &[0.5, -1e-42]),
            weight("dense/bias", &[1], &[-0.0]),
        ],
        metadata: [("author".to_string(), "me".to_string())].into_iter().collect(),
    }
}

/// A safetensors file of this header and these bytes.
fn container(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

/// `tiny` with its header and its tensors' bytes changed.
fn changed(change: impl FnOnce(&mut Value, &mut Vec<u8>)) -> Vec<u8> {
    let bytes = tiny().to_bytes().unwrap();
    let end = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header = serde_json::from_slice(&bytes[8..end]).unwrap();
    let mut data = bytes[end..].to_vec();
    change(&mut header, &mut data);
    container(&header.to_string(), &data)
}

/// `tiny` with one value of its header replaced.
fn with(place: &str, value: Value) -> Vec<u8> {
    changed(|header, _| {
        let (parent, key) = place.rsplit_once('/').unwrap();
        header.pointer_mut(parent).unwrap()[key.replace("~1", "/")] = value;
    })
}

fn without(key: &str) -> Vec<u8> {
    changed(|header, _| {
        header["__metadata__"].as_object_mut().unwrap().remove(key).unwrap();
    })
}

/// The message of the error that `bytes` must give.
fn refused(bytes: &[u8], kind: ErrorKind) -> String {
    let error = ModelFile::from_bytes(bytes).expect_err("expected an error");
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().len() < 500, "{error}");
    error.to_string()
}

#[test]
fn what_is_written_is_read() {
    let file = tiny();
    let bytes = file.to_bytes().unwrap();
    let again = ModelFile::from_bytes(&bytes).unwrap();
    assert_eq!(again, file);
    assert!(again.weights[1].values[0].is_sign_negative());
    assert_eq!(again.to_bytes().unwrap(), bytes);
}

#[test]
fn the_safetensors_crate_reads_it() {
    let bytes = tiny().to_bytes().unwrap();
    let (length, header) = SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!((8 + length) % 8, 0, "tensors are aligned");
    assert_eq!(header.metadata().as_ref().unwrap()["format"], "convlet");
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let kernel = tensors.tensor("dense/kernel").unwrap();
    assert_eq!(kernel.shape(), [2, 1]);
    assert_eq!(kernel.data(), [0.5_f32.to_le_bytes(), (-1e-42_f32).to_le_bytes()].concat());
}

#[test]
fn a_file_of_keras_is_read() {
    let file = ModelFile::from_bytes(KERAS).unwrap();
    assert_eq!(file.labels, ["cat", "dog"]);
    assert_eq!(file.input, Input::rgb(14, 14));
    assert_eq!(file.training, serde_json::Map::new());
    // Keras names them sequential/conv2d/kernel and so on.
    let expected: [(&str, &[usize]); 8] = [
        ("conv2d/kernel", &[3, 3, 3, 4]),
        ("conv2d/bias", &[4]),
        ("conv2d_1/kernel", &[3, 3, 4, 6]),
        ("conv2d_1/bias", &[6]),
        ("dense/kernel", &[24, 8]),
        ("dense/bias", &[8]),
        ("dense_1/kernel", &[8, 1]),
        ("dense_1/bias", &[1]),
    ];
    let weights = file.take_weights(&expected).unwrap();
    assert_eq!(weights[7].len(), 1);
    let again = ModelFile::from_bytes(&file.to_bytes().unwrap()).unwrap();
    assert_eq!(again, file);
}

#[test]
fn a_stated_input_is_completed() {
    let input = |text: &str| with("/__metadata__/input", json!(text));
    let read = |bytes: Vec<u8>| ModelFile::from_bytes(&bytes).unwrap().input;
    let plain = Input { channels: 1, ..Input::rgb(1, 2) };
    assert_eq!(read(without("input")), plain);
    assert_eq!(read(input("{}")), plain);
    assert_eq!(
        read(input(r#"{"resize": "crop"}"#)),
        Input { resize: Resize::Crop, ..plain.clone() }
    );
    assert_eq!(read(input(r#"{"rescale": 1}"#)), Input { rescale: 1.0, ..plain });
}

#[test]
fn what_takes_the_place_of_a_model_is_named() {
    for (bytes, expected) in [
        (&b""[..], "got a file that does not start with a header's length (0 bytes)"),
        (b"\x10\0\0\0\0\0\0", "(7 bytes)"),
        (b"<!DOCTYPE html><title>404</title>", "what looks like a web page"),
        (b"\xef\xbb\xbf\n <HTML>", "what looks like a web page"),
        (b"{\"class_name\": \"Sequential\"}", "what looks like JSON"),
        (b"PK\x03\x04\x14\0\0\0\0\0", "a zip archive"),
        (b"\x89HDF\r\n\x1a\n\0\0", "an HDF5 file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff{}", "does not start with a header's length (10 bytes)"),
        (b"\x10\0\0\0\0\0\0\0{}", "expected a header of 16 bytes, got a file that ends after 2"),
        (b"\0\0\0\0\0\0\0\0", "expected a header in JSON, got EOF"),
        (b"\x02\0\0\0\0\0\0\0[]", "expected a header in JSON, got invalid type"),
        (b"\x02\0\0\0\0\0\0\0\xff\xfe", "expected a header in JSON"),
        (b"\x02\0\0\0\0\0\0\0{}", "expected format \"convlet\" in the metadata, got none"),
    ] {
        let message = refused(bytes, ErrorKind::File);
        assert!(message.contains(expected), "expected {expected:?} in {message:?}");
    }
}

#[test]
fn wrong_metadata_are_named() {
    for key in ["format", "version", "architecture", "labels"] {
        let message = refused(&without(key), ErrorKind::File);
        assert!(message.contains(&format!("{key}\"")) || message.contains("format"), "{message}");
    }
    let labels = |labels: Value| ("/__metadata__/labels", json!(labels.to_string()));
    for ((place, value), expected) in [
        (
            ("/__metadata__/format", json!("pt")),
            "expected format \"convlet\" in the metadata, got \"pt\"",
        ),
        (
            ("/__metadata__/format", json!(1)),
            "\"__metadata__\": invalid type: 1, expected a string",
        ),
        (("/__metadata__", json!([1])), "\"__metadata__\": invalid type"),
        (("/__metadata__/labels", json!("cat, dog")), "labels: expected a JSON list of strings"),
        (labels(json!({"0": "cat"})), "labels: expected a JSON list of strings"),
        (labels(json!([])), "expected 1 to 10000 labels, got 0"),
        (labels(json!(vec!["x"; 10_001])), "expected 1 to 10000 labels, got 10001"),
        (labels(json!(["cat", ""])), "got \"\" (0 bytes)"),
        (labels(json!(["cat", "dog\n"])), "got \"dog\\n\""),
        (labels(json!(["x".repeat(257)])), "(257 bytes)"),
        (labels(json!(["cat", "cat"])), "expected labels to differ, got \"cat\" twice"),
        (("/__metadata__/input", json!("[]")), "input: expected a JSON object"),
        (
            ("/__metadata__/input", json!("{\"mean\": 0.5}")),
            "input: expected height, width, channels, resize, rescale, got \"mean\"",
        ),
        (("/__metadata__/input", json!("{\"rescale\": \"1/255\"}")), "input: expected height"),
        (
            ("/__metadata__/input", json!("{\"rescale\": 0}")),
            "expected rescale to be a number other than 0, got 0",
        ),
        (("/__metadata__/input", json!("{\"rescale\": 1e300}")), "got inf"),
        (("/__metadata__/input", json!("{\"resize\": \"pad\"}")), "pad"),
        (
            ("/__metadata__/input", json!("{\"width\": 3}")),
            "expected the architecture's 1 x 2 x 1, got 1 x 3 x 1",
        ),
        (("/__metadata__/training", json!("[1]")), "training: expected a JSON object"),
        (("/__metadata__/training", json!("{\"loss\": NaN}")), "training: expected JSON"),
        (("/__metadata__/training", json!("{\"a\": 1, \"a\": 2}")), "key \"a\" twice"),
        (
            ("/__metadata__/training", json!(format!("{{\"a\": {}", "[".repeat(100_000)))),
            "recursion limit",
        ),
        (
            ("/__metadata__/training", json!(format!("{{\"a\": [{}1]}}", "1,".repeat(1 << 20)))),
            "more than 2097152",
        ),
    ] {
        let message = refused(&with(place, value), ErrorKind::File);
        assert!(message.contains(expected), "expected {expected:?} in {message:?}");
    }
    let message = refused(&with("/__metadata__/version", json!("2")), ErrorKind::Version);
    assert_eq!(message, "expected a model file of version 1, got \"2\"");
    let message =
        refused(&with("/__metadata__/architecture", json!("{}")), ErrorKind::Architecture);
    assert!(message.starts_with("architecture: expected Keras's JSON"), "{message}");
}

#[test]
fn wrong_tensors_are_named() {
    let kernel = |key: &str, value: Value| with(&format!("/dense~1kernel/{key}"), value);
    let nan = changed(|_, data| data[4..8].copy_from_slice(&f32::NAN.to_le_bytes()));
    let huge_f64 = changed(|header, data| {
        header["dense/bias"] = json!({"dtype": "F64", "shape": [1], "data_offsets": [8, 16]});
        data.splice(8.., 1e300_f64.to_le_bytes());
    });
    let many = changed(|header, _| {
        for i in 0..10_001 {
            header[format!("t{i}")] = json!({"dtype": "F32", "shape": [0], "data_offsets": [0, 0]});
        }
    });
    for (bytes, expected) in [
        (
            kernel("dtype", json!("I32")),
            "tensor \"dense/kernel\": expected dtype F32, F16, BF16, F64 or I8, got I32",
        ),
        (kernel("dtype", json!("F128")), "\"dense/kernel\": unknown dtype \"F128\""),
        (
            kernel("dtype", json!("F16")),
            "tensor \"dense/kernel\": expected the bytes of F16 [2, 1], got 8 bytes",
        ),
        (kernel("dtype", Value::Null), "\"dense/kernel\": "),
        (
            kernel("shape", json!([3, 1])),
            "tensor \"dense/kernel\": expected the bytes of F32 [3, 1], got 8 bytes",
        ),
        (
            kernel("shape", json!([1_u64 << 62, 4])),
            "expected the bytes of F32 [4611686018427387904, 4]",
        ),
        (kernel("shape", json!([u64::MAX, u64::MAX])), "expected the bytes of F32"),
        (kernel("shape", json!([-1])), "\"dense/kernel\": invalid value"),
        (kernel("shape", json!([2.0])), "\"dense/kernel\": invalid type"),
        (kernel("shape", json!(vec![1; 9])), "expected at most 8 dimensions, got 9"),
        (kernel("data_offsets", json!([0, 4])), "expected the bytes of F32 [2, 1], got 4 bytes"),
        (kernel("data_offsets", json!([0, 12])), "expected the bytes of F32 [2, 1], got 12 bytes"),
        (
            kernel("data_offsets", json!([4, 12])),
            "expected its bytes to start at 0, got 4: it leaves a gap",
        ),
        (
            kernel("data_offsets", json!([8, 0])),
            "tensor \"dense/kernel\": expected its bytes to start at 0, got 8",
        ),
        (
            kernel("data_offsets", json!([0, u64::MAX])),
            "expected its bytes 0 to 18446744073709551615, got a file that ends after 12",
        ),
        (
            kernel("data_offsets", json!([0])),
            "\"dense/kernel\": data_offsets: expected two numbers, got 1",
        ),
        (
            with("/dense~1bias/data_offsets", json!([4, 8])),
            "tensor \"dense/bias\": expected its bytes to start at 8, got 4: it overlaps",
        ),
        (with("/dense~1bias/data_offsets", json!([0, 4])), "start at 4, got 0: it overlaps"),
        (with("/x", json!(3)), "\"x\": invalid type"),
        (changed(|_, data| data.truncate(11)), "got a file that ends after 11: truncated?"),
        (changed(|_, data| data.push(0)), "expected 12 bytes of tensors, got 13"),
        (nan, "tensor \"dense/kernel\": expected finite numbers, got NaN at index 1"),
        (huge_f64, "tensor \"dense/bias\": expected finite numbers, got inf at index 0"),
        (many, "more than 10000 tensors"),
        (
            changed(|header, _| {
                for i in 0..1001 {
                    header["__metadata__"][format!("m{i}")] = json!("");
                }
            }),
            "more than 1000 entries",
        ),
        (
            changed(|header, _| {
                header["sequential/dense/bias"] = header["dense/bias"].take();
                header["dense/bias"] =
                    json!({"dtype": "F32", "shape": [0], "data_offsets": [0, 0]});
            }),
            "expected weights of different names, got two named \"dense/bias\"",
        ),
    ] {
        let message = refused(&bytes, ErrorKind::File);
        assert!(message.contains(expected), "expected {expected:?} in {message:?}");
    }
}

#[test]
fn a_key_said_twice_is_refused() {
    let tensor = r#"{"dtype":"F32","shape":[0],"data_offsets":[0,0]}"#;
    for (header, key) in [
        (format!(r#"{{"a":{tensor},"a":{tensor}}}"#), "a"),
        (r#"{"__metadata__":{},"__metadata__":{}}"#.into(), "__metadata__"),
        (r#"{"__metadata__":{"format":"pt","format":"convlet"}}"#.into(), "format"),
    ] {
        let message = refused(&container(&header, b""), ErrorKind::File);
        assert!(message.contains(&format!("key \"{key}\" twice")), "{message}");
    }
    let twice = r#"{"a":{"dtype":"F32","dtype":"F16","shape":[0],"data_offsets":[0,0]}}"#;
    assert!(refused(&container(twice, b""), ErrorKind::File).contains("key \"dtype\" twice"));
}

#[test]
fn a_long_or_deep_header_is_refused() {
    let long = format!("{{\"__metadata__\":{{\"a\":\"{}\"}}}}", "x".repeat(MAX_HEADER));
    assert!(refused(&container(&long, b""), ErrorKind::File).contains("header's length"));
    let deep = format!("{{\"a\":{}", "{\"a\":".repeat(100_000));
    refused(&container(&deep, b""), ErrorKind::File);
}

#[test]
fn weights_are_held_to_the_network() {
    let file = tiny();
    let kernel: (&str, &[usize]) = ("dense/kernel", &[2, 1]);
    let bias: (&str, &[usize]) = ("dense/bias", &[1]);
    assert_eq!(file.take_weights(&[bias, kernel]).unwrap(), [vec![-0.0], vec![0.5, -1e-42]]);
    for (expected, message) in [
        (vec![kernel], "expected the weights of the architecture, got \"dense/bias\" as well"),
        (
            vec![kernel, bias, ("out/bias", &[1])],
            "expected a tensor \"out/bias\" of shape [1], got none",
        ),
        (
            vec![("dense/kernel", &[1, 2]), bias],
            "tensor \"dense/kernel\": expected shape [1, 2], got [2, 1]",
        ),
    ] {
        let error = file.take_weights(&expected).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::File, message));
    }
}

#[test]
fn what_could_not_be_read_is_not_written() {
    let refused = |change: fn(&mut ModelFile)| {
        let mut file = tiny();
        change(&mut file);
        let error = file.to_bytes().expect_err("expected an error");
        (error.kind(), error.to_string())
    };
    let (kind, message) = refused(|file| file.weights[0].values[1] = f32::NEG_INFINITY);
    assert_eq!(kind, ErrorKind::Divergence);
    assert_eq!(message, "tensor \"dense/kernel\": expected finite numbers, got -inf at index 1");
    assert_eq!(refused(|file| file.labels.clear()).0, ErrorKind::File);
    assert_eq!(refused(|file| file.weights[0].shape = vec![3]).0, ErrorKind::File);
    assert_eq!(refused(|file| file.weights[0].name = "dense/bias".into()).0, ErrorKind::File);
    assert_eq!(refused(|file| file.input.width = 3).0, ErrorKind::File);
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = tiny().to_bytes().unwrap();
    for length in 0..bytes.len() {
        refused(&bytes[..length], ErrorKind::File);
    }
}

/// Whatever is read is a safetensors file for the crate too, and can be written and read again.
fn read_or_refuse(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(file) = ModelFile::from_bytes(bytes) {
        prop_assert!(SafeTensors::deserialize(bytes).is_ok());
        prop_assert_eq!(ModelFile::from_bytes(&file.to_bytes().unwrap()).unwrap(), file);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn flipped_bytes_never_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..4)) {
        for mut bytes in [tiny().to_bytes().unwrap(), KERAS.to_vec()] {
            for (index, flip) in &flips {
                let len = bytes.len();
                bytes[index.index(len)] ^= flip;
            }
            read_or_refuse(&bytes)?;
        }
    }

    #[test]
    fn any_bytes_never_panic(header in prop::collection::vec(any::<u8>(), 0..64), rest in prop::collection::vec(any::<u8>(), 0..64)) {
        read_or_refuse(&[&(header.len() as u64).to_le_bytes()[..], &header, &rest].concat())?;
    }

    /// Tensors of any dtype, shape and place: refused wherever the crate refuses them.
    #[test]
    fn any_layout_is_judged_as_the_crate_does(
        kernel in layout(), bias in layout(), data in prop::collection::vec(0_u8..60, 0..24),
    ) {
        let bytes = changed(|header, bytes| {
            header["dense/kernel"] = kernel;
            header["dense/bias"] = bias;
            *bytes = data;
        });
        read_or_refuse(&bytes)?;
        if let (Ok(_), Err(error)) = (SafeTensors::deserialize(&bytes), ModelFile::from_bytes(&bytes)) {
            let message = error.to_string();
            prop_assert!(message.contains("expected dtype F32") || message.contains("finite"), "{}", message);
        }
    }
}

/// One tensor's entry in a header, the likelier for being right.
fn layout() -> impl Strategy<Value = Value> {
    let dtype = prop::sample::select(vec!["F32", "F16", "BF16", "F64", "U8"]);
    let shape = prop::collection::vec(0_usize..4, 0..3);
    let offset = prop::sample::select(vec![0_u64, 4, 8, 12, 16, u64::MAX]);
    (dtype, shape, offset.clone(), offset).prop_map(
        |(dtype, shape, start, end)| json!({"dtype": dtype, "shape": shape, "data_offsets": [start, end]}),
    )
}

/// Kernels of a convolution and a dense layer, of sizes that show whose scale is whose.
fn rounded() -> ModelFile {
    let layers = vec![
        LayerSpec::new("DepthwiseConv2D", json!({"kernel_size": 2})),
        LayerSpec::new("Flatten", json!({})),
        LayerSpec::new("Dense", json!({"units": 2, "activation": "softmax"})),
    ];
    let architecture = Architecture::sequential([2, 2, 3], layers).unwrap();
    let model = convlet::model::Model::new(architecture, 3).unwrap();
    let labels = ["a".to_string(), "b".to_string()];
    let mut file = model.to_file(&labels, &Input::rgb(2, 2), serde_json::Map::new());
    for (i, weight) in file.weights.iter_mut().enumerate() {
        weight.values.iter_mut().for_each(|value| *value *= (i + 1) as f32);
    }
    file
}

#[test]
fn smaller_files_are_read_back_close_to_what_they_were() {
    let exact = rounded();
    let mut sizes = vec![exact.to_bytes().unwrap().len()];
    for (storage, share) in [(Storage::F16, 1.0 / 2048.0), (Storage::Int8, 0.51 / 127.0)] {
        let bytes = exact.to_bytes_as(storage).unwrap();
        sizes.push(bytes.len());
        let read = ModelFile::from_bytes(&bytes).unwrap();
        assert_eq!(read.weights.len(), exact.weights.len());
        for (exact, read) in exact.weights.iter().zip(&read.weights) {
            assert_eq!((&exact.name, &exact.shape), (&read.name, &read.shape));
            let largest = exact.values.iter().fold(0.0_f32, |max, value| max.max(value.abs()));
            for (a, b) in exact.values.iter().zip(&read.values) {
                assert!((a - b).abs() <= largest * share, "{storage:?} {}: {a} {b}", exact.name);
            }
            // Vectors are kept as they are.
            assert!(exact.shape.len() > 1 || exact.values == read.values);
        }
        // What is rounded stays where it is.
        assert_eq!(read.to_bytes_as(storage).unwrap(), bytes);
    }
    let floats = exact.weights.iter().map(|weight| weight.values.len()).sum::<usize>();
    assert!(sizes[1] < sizes[0] - floats, "{sizes:?}");
    let mut large = exact.clone();
    large.weights[0].values[0] = 70_000.0;
    assert!(large.to_bytes_as(Storage::F16).unwrap_err().to_string().contains("65504"));
}

#[test]
fn levels_without_their_scale_are_refused() {
    let bytes = rounded().to_bytes_as(Storage::Int8).unwrap();
    let renamed = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
        let mut changed = bytes.clone();
        changed[at..at + to.len()].copy_from_slice(to.as_bytes());
        ModelFile::from_bytes(&changed).unwrap_err().to_string()
    };
    let message = renamed("\"dense/kernel.scale\"", "\"dense/kernel.stale\"");
    assert!(message.contains("expected a tensor \"dense/kernel.scale\""), "{message}");
    let message = renamed("\"shape\":[3]", "\"shape\":[1]");
    assert!(message.contains("bytes"), "{message}");
}
