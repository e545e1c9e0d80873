//! The model file: a network, its weights, its labels and how pictures enter it, in one safetensors file.
//!
//! | metadata | holds |
//! | --- | --- |
//! | `format` | `convlet` |
//! | `version` | `1` |
//! | `architecture` | Keras's own JSON, as `model.to_json()` writes it |
//! | `labels` | JSON: the classes' names in the order of the outputs; two for a single sigmoid output |
//! | `input` | JSON of [`Input`]; what is missing has its default, sizes come from the architecture |
//! | `training` | JSON object: how the model was trained, free in form |
//! | `confidence` | see [`crate::confidence`], which adds two tensors |
//!
//! `input`, `training` and `confidence` may be left out; further entries are kept as they are. Tensors are named as Keras names weights
//! (`conv2d/kernel`, or led by the model's name: `sequential/conv2d/kernel`), laid out as Keras lays them out, of dtype
//! F32, F16, BF16, F64, or I8 with a tensor of scales beside it ([`Storage`]); they are `f32` in memory and, unless asked
//! otherwise, F32 when written. The same model gives the same bytes.
//!
//! A file chooses neither code nor addresses. Whatever it holds, reading it ends in a [`ModelFile`] or an error, in time
//! linear in its size and in memory of at most [`MAX_FILE`] bytes beyond the file itself (twice that for F16 weights),
//! and the header's JSON. The caps are the constants of this module and of [`crate::architecture`]; what a network may cost,
//! those of [`crate::model`].

pub(crate) mod container;
mod metadata;
mod storage;

use crate::architecture::Architecture;
use crate::error::{Error, ErrorKind, Result, bail};
use crate::image::{Input, Resize};
use crate::json::{self, Places, Reader, shown};
use container::Container;
pub use metadata::Metadata;
use serde_json::{Map, Value};
pub use storage::Storage;

/// What the metadata call this format.
pub const FORMAT: &str = "convlet";
/// The version that this build writes, and the only one it reads.
pub const VERSION: &str = "1";
/// The most bytes of a model file.
pub const MAX_FILE: usize = 1 << 30;
/// The most bytes of a model file's header, metadata included.
pub const MAX_HEADER: usize = 4 << 20;
/// The most tensors in a model file.
pub const MAX_TENSORS: usize = 10_000;
/// The most entries of metadata.
pub const MAX_METADATA: usize = 1000;
/// The most dimensions of a tensor.
pub const MAX_RANK: usize = 8;
/// The most labels.
pub const MAX_LABELS: usize = 10_000;
/// The most bytes in a label.
pub const MAX_LABEL: usize = 256;

/// One tensor of weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// Layer and weight: `conv2d/kernel`.
    pub name: String,
    /// Keras's shape, such as (kh, kw, c, oc) for the kernel of a convolution.
    pub shape: Vec<usize>,
    /// The values in row-major order; as many as the shape says, all finite.
    pub values: Vec<f32>,
}

/// All that a model file holds.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFile {
    /// The network.
    pub architecture: Architecture,
    /// The classes' names, in the order of the outputs.
    pub labels: Vec<String>,
    /// How a picture becomes the network's input.
    pub input: Input,
    /// How the model was trained: command, seed, history. Holds no date, so that the same command gives the same file.
    pub training: Map<String, Value>,
    /// Every layer's weights, in the order in which they are written.
    pub weights: Vec<Weight>,
    /// Metadata that this version does not know, kept as they came.
    pub metadata: Metadata,
}

impl ModelFile {
    /// Reads a model file.
    ///
    /// # Errors
    /// - File: not safetensors (a web page, JSON, a zip archive, HDF5 or a Git LFS pointer are named), truncated, a header that
    ///   is not JSON or says a key twice, tensors that overlap, leave a gap or do not fit their shape, a dtype that is
    ///   not a float's, a number that is not finite, metadata missing or malformed, labels empty, twice or too long,
    ///   anything beyond the caps of this module.
    /// - Version: a version that this build does not know.
    /// - Architecture: see [`Architecture::from_json`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let Container { mut metadata, tensors } = container::read(bytes)?;
        match metadata.remove("format").as_deref() {
            Some(FORMAT) => {}
            Some(other) => {
                bail!(File, "expected format \"{FORMAT}\" in the metadata, got {}", shown(other))
            }
            None => bail!(
                File,
                "expected format \"{FORMAT}\" in the metadata, got none: a safetensors file, but not a model of Convlet's"
            ),
        }
        match require(&mut metadata, "version")?.as_str() {
            VERSION => {}
            other => {
                bail!(Version, "expected a model file of version {VERSION}, got {}", shown(other))
            }
        }
        let architecture = Architecture::from_json(&require(&mut metadata, "architecture")?)
            .map_err(|error| error.within("architecture"))?;
        let labels = read_labels(&require(&mut metadata, "labels")?)?;
        let input = read_input(metadata.remove("input").as_deref(), architecture.input_shape)?;
        let training = match metadata.remove("training") {
            Some(text) => read_object("training", &text)?,
            None => Map::new(),
        };
        let prefix = format!("{}/", architecture.name);
        let weights = tensors
            .into_iter()
            .map(|weight| Weight { name: weight_name(&weight.name, &prefix), ..weight })
            .collect();
        let file = Self { architecture, labels, input, training, weights, metadata };
        file.check()?;
        Ok(file)
    }

    /// Writes the model file. Equal models give equal bytes.
    ///
    /// # Errors
    /// Whatever [`ModelFile::from_bytes`] would refuse; Divergence for a weight that is not finite.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.to_bytes_as(Storage::F32)
    }

    /// Writes the model file with its weights rounded to `storage`, which makes it smaller.
    ///
    /// # Errors
    /// As [`ModelFile::to_bytes`]; File for a weight beyond what F16 holds.
    pub fn to_bytes_as(&self, storage: Storage) -> Result<Vec<u8>> {
        self.check()?;
        let labels: Value = self.labels.iter().map(String::as_str).collect();
        let mut metadata = Map::new();
        for (key, value) in [
            ("format", FORMAT.to_string()),
            ("version", VERSION.to_string()),
            ("architecture", json::write(&self.architecture.to_json())),
            ("labels", json::write(&labels)),
            ("input", json::write(&self.input.to_json().into())),
            ("training", json::write(&self.training.clone().into())),
        ] {
            metadata.insert(key.into(), value.into());
        }
        for (key, value) in self.metadata.iter() {
            if !metadata.contains_key(key) {
                metadata.insert(key.into(), value.into());
            }
        }
        container::write(metadata, &self.weights, storage)
    }

    /// The weights that a network asks for, by name and shape, in its order.
    ///
    /// # Errors
    /// File: a weight is missing, has another shape, or is there without being asked for.
    pub fn take_weights(&self, expected: &[(&str, &[usize])]) -> Result<Vec<Vec<f32>>> {
        let mut places = Places::default();
        for (i, weight) in self.weights.iter().enumerate() {
            places.insert(&weight.name, i);
        }
        let mut is_taken = vec![false; self.weights.len()];
        let mut values = Vec::with_capacity(expected.len());
        for &(name, shape) in expected {
            let Some(i) = places.get(name).filter(|&i| !is_taken[i]) else {
                bail!(File, "expected a tensor {} of shape {shape:?}, got none", shown(name));
            };
            let weight = &self.weights[i];
            if weight.shape != shape {
                let got = &weight.shape;
                bail!(File, "tensor {}: expected shape {shape:?}, got {got:?}", shown(name));
            }
            is_taken[i] = true;
            values.push(weight.values.clone());
        }
        let left = self.weights.iter().zip(is_taken).filter(|(_, is_taken)| !is_taken);
        match left.map(|(weight, _)| &weight.name).min() {
            Some(name) => {
                bail!(File, "expected the weights of the architecture, got {} as well", shown(name))
            }
            None => Ok(values),
        }
    }

    /// What holds for every model file, whether read or written.
    fn check(&self) -> Result<()> {
        if self.labels.is_empty() || self.labels.len() > MAX_LABELS {
            bail!(File, "expected 1 to {MAX_LABELS} labels, got {}", self.labels.len());
        }
        let mut labels = Places::default();
        for label in &self.labels {
            if label.is_empty() || label.len() > MAX_LABEL || label.chars().any(char::is_control) {
                bail!(
                    File,
                    "expected labels of 1 to {MAX_LABEL} bytes without control characters, got {} ({} bytes)",
                    shown(label),
                    label.len()
                );
            }
            if !labels.insert(label, 0) {
                bail!(File, "expected labels to differ, got {} twice", shown(label));
            }
        }
        let Input { height, width, channels, rescale, .. } = self.input;
        let [h, w, c] = self.architecture.input_shape;
        if [height, width, channels] != [h, w, c] {
            bail!(
                File,
                "input: expected the architecture's {h} x {w} x {c}, got {height} x {width} x {channels}"
            );
        }
        if !rescale.is_normal() {
            bail!(
                File,
                "input: expected rescale to be a number other than 0, got {}",
                shown(rescale)
            );
        }
        let mut names = Places::default();
        for Weight { name, shape, values } in &self.weights {
            if !names.insert(name, 0) {
                bail!(File, "expected weights of different names, got two named {}", shown(name));
            }
            if shape.iter().try_fold(1_usize, |n, &side| n.checked_mul(side)) != Some(values.len())
            {
                bail!(
                    File,
                    "tensor {name}: expected values for {shape:?}, got {}",
                    values.len(),
                    name = shown(name)
                );
            }
            if let Some(i) = values.iter().position(|value| !value.is_finite()) {
                let value = shown(values[i]);
                bail!(
                    Divergence,
                    "tensor {}: expected finite numbers, got {value} at index {i}",
                    shown(name)
                );
            }
        }
        Ok(())
    }
}

/// Takes an entry that has to be there.
fn require(metadata: &mut Metadata, key: &str) -> Result<String> {
    metadata.remove(key).ok_or_else(|| {
        Error::new(ErrorKind::File, format!("expected {} in the metadata, got none", shown(key)))
    })
}

fn read_object(key: &str, text: &str) -> Result<Map<String, Value>> {
    match json::parse(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => bail!(File, "{key}: expected a JSON object, got other JSON"),
        Err(error) => bail!(File, "{key}: expected JSON, got {error}"),
    }
}

fn read_labels(text: &str) -> Result<Vec<String>> {
    let mut labels = Vec::new();
    let mut reader = Reader::new(text);
    let read = reader.list("a list", &mut |reader| {
        labels.push(reader.string("a string")?);
        Ok(())
    });
    match read.and_then(|()| reader.end()) {
        Ok(()) => Ok(labels),
        Err(error) => bail!(File, "labels: expected a JSON list of strings, got {error}"),
    }
}

/// The stated input, its size filled in from the architecture. A key that is not known would change what the network
/// sees, so it is refused.
fn read_input(text: Option<&str>, [h, w, c]: [usize; 3]) -> Result<Input> {
    const KEYS: [&str; 5] = ["height", "width", "channels", "resize", "rescale"];
    let mut input = Input { channels: c, ..Input::rgb(h, w) };
    for (key, value) in &read_object("input", text.unwrap_or("{}"))? {
        let size = value.as_u64().and_then(|size| usize::try_from(size).ok());
        let resize = match value.as_str() {
            Some("squash") => Some(Resize::Squash),
            Some("crop") => Some(Resize::Crop),
            _ => None,
        };
        let fits = match key.as_str() {
            "height" => size.map(|size| input.height = size),
            "width" => size.map(|size| input.width = size),
            "channels" => size.map(|size| input.channels = size),
            "resize" => resize.map(|resize| input.resize = resize),
            "rescale" => value.as_f64().map(|rescale| input.rescale = rescale as f32),
            _ => {
                bail!(File, "input: expected {}, got {}", KEYS.join(", "), shown(key));
            }
        };
        if fits.is_none() {
            let expected = match key.as_str() {
                "resize" => "\"squash\" or \"crop\"",
                "rescale" => "a number",
                _ => "a whole number",
            };
            bail!(
                File,
                "input: expected {}, got for {key} not {expected} but {value}",
                KEYS.join(", "),
                value = shown(value)
            );
        }
    }
    Ok(input)
}

/// `sequential/conv2d/kernel` -> `conv2d/kernel`: Keras leads the weights' paths of some models by the model's name.
fn weight_name(name: &str, prefix: &str) -> String {
    match name.strip_prefix(prefix) {
        Some(rest) if rest.contains('/') => rest.to_string(),
        _ => name.to_string(),
    }
}
