//! Any bytes as a model file: refused, or read, written, read again the same, and put to work.
#![no_main]

use convlet::classifier::Classifier;
use convlet::file::{ModelFile, Storage};
use libfuzzer_sys::fuzz_target;

/// What a network may have in all layers together for a picture to be classified by it: for speed alone.
const SMALL: usize = 1 << 16;

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = ModelFile::from_bytes(bytes) else { return };
    let written = file.to_bytes().expect("what was read can be written");
    assert_eq!(ModelFile::from_bytes(&written).expect("what was written can be read"), file);
    for storage in [Storage::F16, Storage::Int8] {
        if let Ok(written) = file.to_bytes_as(storage) {
            // Nothing, or levels in steps too small for their largest to be told from zero.
            let _ = ModelFile::from_bytes(&written);
        }
    }
    let Ok(mut classifier) = Classifier::from_bytes(bytes) else { return };
    let layers = classifier.model.layers();
    let numbers: usize =
        layers.iter().map(|layer| layer.output_shape.iter().product::<usize>()).sum();
    if numbers + classifier.model.input_len() < SMALL
        && let Ok(probabilities) = classifier.classify(&[100; 4 * 6], 3, 2)
    {
        let probabilities = probabilities.to_vec();
        assert_eq!(probabilities.len(), classifier.labels().len());
        assert_eq!(classifier.ranked(&probabilities).len(), probabilities.len());
        let _ = classifier.none_of_these();
    }
});
