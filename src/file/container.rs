//! The safetensors container: eight bytes that say how long the header is, the header (JSON: metadata, and for each
//! tensor its dtype, shape and place), the tensors' bytes in a row.
//!
//! The header is read here rather than by the safetensors crate, which takes the last of two tensors of one name and
//! does not say which tensor is wrong; and written here, since the crate writes metadata in random order. The tests hold
//! both ways against the crate.

use super::storage::{SCALE, Storage, Stored, dequantize, f16_to_f32, store};
use super::{MAX_FILE, MAX_HEADER, MAX_METADATA, MAX_RANK, MAX_TENSORS, Metadata, Weight};
use crate::error::{Error, ErrorKind, Result, bail};
use crate::json::{self, Places, Read, Reader, object, shown};
use safetensors::tensor::{Dtype, TensorInfo};
use serde_json::{Map, Value};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

const METADATA: &str = "__metadata__";

/// The dtypes that a header may name. Not all of them can be read, but their messages then tell what would be.
const DTYPES: [Dtype; 13] = [
    Dtype::F32,
    Dtype::F16,
    Dtype::BF16,
    Dtype::F64,
    Dtype::I8,
    Dtype::I16,
    Dtype::I32,
    Dtype::I64,
    Dtype::U8,
    Dtype::U16,
    Dtype::U32,
    Dtype::U64,
    Dtype::BOOL,
];

/// What a safetensors file holds: metadata, and tensors in the order of their bytes.
pub(crate) struct Container {
    pub metadata: Metadata,
    pub tensors: Vec<Weight>,
}

/// Reads a whole file. Allocates the header's JSON and the values as `f32`.
pub(crate) fn read(bytes: &[u8]) -> Result<Container> {
    if bytes.len() > MAX_FILE {
        bail!(File, "expected a model file of at most {MAX_FILE} bytes, got {}", bytes.len());
    }
    let (header, data) = split(bytes)?;
    let Header { metadata, tensors: places } = Header::read(header).map_err(|error| {
        Error::new(ErrorKind::File, format!("expected a header in JSON, got {error}"))
    })?;
    let at = |(i, (_, info)): (usize, &(String, TensorInfo))| Reverse((info.data_offsets, i));
    let mut order: BinaryHeap<_> = places.iter().enumerate().map(at).collect();
    let mut end = 0;
    let mut tensors = Vec::with_capacity(places.len());
    // Names of tensors that hold levels, which mean nothing without their steps.
    let mut levels = Vec::new();
    while let Some(Reverse(((start, stop), i))) = order.pop() {
        let (name, info) = &places[i];
        if start != end {
            let trouble = if start < end { "overlaps with" } else { "leaves a gap to" };
            bail!(
                File,
                "tensor {}: expected its bytes to start at {end}, got {start}: it {trouble} the one before",
                shown(name)
            );
        }
        let Some(bytes) = data.get(start..stop) else {
            bail!(
                File,
                "tensor {name}: expected its bytes {start} to {stop}, got a file that ends after {}: truncated?",
                data.len(),
                name = shown(name)
            );
        };
        let values =
            read_values(info, bytes).map_err(|e| e.within(format!("tensor {}", shown(name))))?;
        end = stop;
        if info.dtype == Dtype::I8 {
            levels.push(name.clone());
        }
        tensors.push(Weight { name: name.clone(), shape: info.shape.clone(), values });
    }
    if end != data.len() {
        bail!(File, "expected {end} bytes of tensors, got {}", data.len());
    }
    levels.iter().try_for_each(|name| restore(&mut tensors, name))?;
    Ok(Container { metadata, tensors })
}

/// Makes weights of the levels in the tensor `name`, and takes away the tensor with their steps.
fn restore(tensors: &mut Vec<Weight>, name: &str) -> Result<()> {
    let scale = format!("{name}{SCALE}");
    let Some(at) = tensors.iter().position(|tensor| tensor.name == scale) else {
        bail!(
            File,
            "tensor {}: expected a tensor {scale} beside one of dtype I8, got none",
            shown(name),
            scale = shown(scale)
        );
    };
    let steps = tensors.remove(at);
    let of = tensors.iter_mut().find(|tensor| tensor.name == name);
    of.map_or(Ok(()), |weight| dequantize(weight, &steps))
}

/// One tensor's values, which its shape must account for and which must be finite.
fn read_values(info: &TensorInfo, bytes: &[u8]) -> Result<Vec<f32>> {
    let TensorInfo { dtype, shape, .. } = info;
    if shape.len() > MAX_RANK {
        bail!(File, "expected at most {MAX_RANK} dimensions, got {}", shape.len());
    }
    let bits = shape.iter().try_fold(dtype.bitsize(), |n, &side| n.checked_mul(side));
    if bits != bytes.len().checked_mul(8) {
        bail!(File, "expected the bytes of {dtype} {shape:?}, got {} bytes", bytes.len());
    }
    let values = decode(*dtype, bytes)?;
    match values.iter().position(|value| !value.is_finite()) {
        Some(i) => bail!(File, "expected finite numbers, got {} at index {i}", shown(values[i])),
        None => Ok(values),
    }
}

/// The header's JSON: `__metadata__` and one entry a tensor.
#[derive(Default)]
struct Header {
    metadata: Metadata,
    tensors: Vec<(String, TensorInfo)>,
}

impl Header {
    fn read(text: &[u8]) -> Read<Self> {
        let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
        let mut reader = Reader::new(text);
        let mut header = Self::default();
        let mut keys = Places::default();
        reader.object("an object of tensors", &mut |reader, key| {
            if !keys.insert(&key, 0) {
                return Err(reader.trouble(&json::twice(&key)));
            }
            let read = if key == METADATA {
                read_metadata(reader).map(|metadata| header.metadata = metadata)
            } else {
                read_info(reader).map(|info| header.tensors.push((key.clone(), info)))
            };
            read.map_err(|error| format!("{}: {error}", shown(key)))?;
            match header.tensors.len() > MAX_TENSORS {
                true => Err(reader.trouble(&format!("more than {MAX_TENSORS} tensors"))),
                false => Ok(()),
            }
        })?;
        reader.end()?;
        Ok(header)
    }
}

/// An object of strings.
fn read_metadata(reader: &mut Reader) -> Read<Metadata> {
    let mut metadata = Metadata::default();
    reader.object("an object of strings", &mut |reader, key| {
        let value = reader.string("a string")?;
        let double = metadata.get(&key).is_some().then(|| json::twice(&key));
        metadata.insert(key, value);
        let many = || format!("more than {MAX_METADATA} entries");
        let trouble = double.or_else(|| (metadata.len() > MAX_METADATA).then(many));
        trouble.map_or(Ok(()), |trouble| Err(reader.trouble(&trouble)))
    })?;
    Ok(metadata)
}

/// What the header says of one tensor.
fn read_info(reader: &mut Reader) -> Read<TensorInfo> {
    let (mut dtype, mut shape, mut offsets) = (None, None, None);
    reader.object("an object of dtype, shape and data_offsets", &mut |reader, key| {
        let is_new = match key.as_str() {
            "dtype" => {
                let name = reader.string("a dtype")?;
                let known = DTYPES.into_iter().find(|known| known.to_string() == name);
                let unknown = || reader.trouble(&format!("unknown dtype {}", shown(name)));
                dtype.replace(known.ok_or_else(unknown)?).is_none()
            }
            "shape" => shape.replace(read_sizes(reader)?).is_none(),
            "data_offsets" => offsets.replace(read_sizes(reader)?).is_none(),
            _ => return reader.value().map(|_| ()),
        };
        if is_new { Ok(()) } else { Err(reader.trouble(&json::twice(&key))) }
    })?;
    let missing = |key| reader.trouble(&format!("missing {}", shown(key)));
    let offsets: Vec<usize> = offsets.ok_or_else(|| missing("data_offsets"))?;
    let [start, end] = offsets[..] else {
        let got = offsets.len();
        return Err(reader.trouble(&format!("data_offsets: expected two numbers, got {got}")));
    };
    Ok(TensorInfo {
        dtype: dtype.ok_or_else(|| missing("dtype"))?,
        shape: shape.ok_or_else(|| missing("shape"))?,
        data_offsets: (start, end),
    })
}

fn read_sizes(reader: &mut Reader) -> Read<Vec<usize>> {
    let mut sizes = Vec::new();
    reader.list("a list of whole numbers", &mut |reader| {
        sizes.push(reader.size()?);
        Ok(())
    })?;
    Ok(sizes)
}

/// Header and data of a file, or what else the file seems to be.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<8>().unwrap_or((&[255; 8], &[]));
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER as u64 {
        let got = stranger(bytes).unwrap_or("a file that does not start with a header's length");
        bail!(File, "expected a model file (safetensors), got {got} ({} bytes)", bytes.len());
    }
    match usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length)) {
        Some(parts) => Ok(parts),
        None => bail!(
            File,
            "expected a header of {length} bytes, got a file that ends after {}: truncated?",
            rest.len()
        ),
    }
}

/// Names the files that turn up in a model's place.
fn stranger(bytes: &[u8]) -> Option<&'static str> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    match text.first()? {
        b'<' => Some("what looks like a web page: is the address right?"),
        b'{' | b'[' => Some("what looks like JSON: an architecture without its weights?"),
        _ if text.starts_with(b"PK\x03\x04") => Some("a zip archive: a .keras file, not exported?"),
        _ if text.starts_with(b"\x89HDF") => {
            Some("an HDF5 file: a .h5 file of Keras's, not exported?")
        }
        _ if text.starts_with(b"version https://git-lfs") => Some("a Git LFS pointer"),
        _ => None,
    }
}

/// Little-endian numbers of any float dtype as `f32`.
fn decode(dtype: Dtype, bytes: &[u8]) -> Result<Vec<f32>> {
    match dtype {
        Dtype::F32 => numbers(bytes, f32::from_le_bytes),
        Dtype::F64 => numbers(bytes, |bytes| f64::from_le_bytes(bytes) as f32),
        Dtype::F16 => numbers(bytes, |bytes| f16_to_f32(u16::from_le_bytes(bytes))),
        Dtype::BF16 => numbers(bytes, |[low, high]| f32::from_le_bytes([0, 0, low, high])),
        Dtype::I8 => numbers(bytes, |bytes| f32::from(i8::from_le_bytes(bytes))),
        _ => bail!(File, "expected dtype F32, F16, BF16, F64 or I8, got {dtype}"),
    }
}

fn numbers<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Result<Vec<f32>> {
    let (chunks, []) = bytes.as_chunks::<N>() else {
        bail!(File, "expected a multiple of {N} bytes, got {}", bytes.len());
    };
    Ok(chunks.iter().map(|&chunk| number(chunk)).collect())
}

/// Writes a file: metadata and tensors in the order given, so that equal models are equal bytes.
pub(crate) fn write(
    metadata: Map<String, Value>,
    tensors: &[Weight],
    storage: Storage,
) -> Result<Vec<u8>> {
    let mut stored = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        stored.extend(store(tensor, storage)?);
    }
    let mut header = Map::new();
    header.insert(METADATA.into(), metadata.into());
    let mut end = 0;
    for Stored { name, shape, dtype, bytes } in &stored {
        let start = end;
        end += bytes.len();
        let shape: Value = shape.iter().copied().collect();
        let info =
            object! {"dtype": dtype.to_string(), "shape": shape, "data_offsets": [start, end]};
        if header.insert(name.clone(), info.into()).is_some() {
            bail!(File, "expected weights of different names, got two named {}", shown(name));
        }
    }
    let mut header = json::write(&header.into()).into_bytes();
    // Tensors begin at a multiple of eight bytes, as the format asks for.
    header.resize(header.len().next_multiple_of(8), b' ');
    if header.len() > MAX_HEADER || end > MAX_FILE - MAX_HEADER {
        bail!(
            File,
            "expected a header of at most {MAX_HEADER} bytes and at most {} bytes of weights, got {} and {end}",
            MAX_FILE - MAX_HEADER,
            header.len()
        );
    }
    let mut file = Vec::with_capacity(8 + header.len() + end);
    file.extend((header.len() as u64).to_le_bytes());
    file.extend(header);
    stored.iter().for_each(|tensor| file.extend(&tensor.bytes));
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_float_dtype_is_read() {
        let value = -1.5_f32;
        let half = 0xbe00_u16.to_le_bytes();
        let brain = ((value.to_bits() >> 16) as u16).to_le_bytes();
        assert_eq!(decode(Dtype::F32, &value.to_le_bytes()).unwrap(), [value]);
        assert_eq!(decode(Dtype::F64, &f64::from(value).to_le_bytes()).unwrap(), [value]);
        assert_eq!(decode(Dtype::F16, &half).unwrap(), [value]);
        assert_eq!(decode(Dtype::BF16, &brain).unwrap(), [value]);
        let error = decode(Dtype::I64, &[0; 8]).unwrap_err().to_string();
        assert_eq!(error, "expected dtype F32, F16, BF16, F64 or I8, got I64");
    }
}
