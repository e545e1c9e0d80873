//! Folders of pictures as a data set: one folder a class, in alphabetical order.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use convlet::augment::{Augment, Transform};
use convlet::error::{Error, ErrorKind, Result};
use convlet::image::{Input, to_tensor};
use convlet::rng::Rng;
use convlet::train::Dataset;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, RgbaImage};
use rayon::prelude::*;

use crate::io_error;
use crate::progress::Bar;

/// Bytes of pictures that are held as `f32`; more are held as bytes, rounded to whole levels, in a quarter of the room.
const EXACT: usize = 2 << 30;

/// The pictures below a directory, not read yet.
pub struct Folder {
    directory: PathBuf,
    /// The classes' names.
    pub labels: Vec<String>,
    /// Each picture with its class.
    files: Vec<(PathBuf, usize)>,
}

impl Folder {
    /// Every folder in `directory` is a class.
    pub fn open(directory: &Path) -> Result<Self> {
        let labels = classes(directory)?;
        if let [label] = labels.as_slice() {
            return Err(data_error(
                directory,
                format!("expected at least two classes, got one: {label}"),
            ));
        }
        Self::list(directory, &labels.clone(), labels)
    }

    /// Every folder in `directory` is one of the classes `labels`; not all need be there.
    pub fn open_for(directory: &Path, labels: &[String]) -> Result<Self> {
        let folders = classes(directory)?;
        if let Some(other) = folders.iter().find(|folder| !labels.contains(folder)) {
            let expected = labels.join(", ");
            return Err(data_error(
                directory,
                format!("expected folders named {expected}, got {other}"),
            ));
        }
        Self::list(directory, &folders, labels.to_vec())
    }

    fn list(directory: &Path, folders: &[String], labels: Vec<String>) -> Result<Self> {
        let mut files = Vec::new();
        for (class, label) in labels.iter().enumerate().filter(|(_, l)| folders.contains(l)) {
            let folder = directory.join(label);
            let before = files.len();
            pictures(&folder, class, &mut files)?;
            if files.len() == before {
                return Err(data_error(&folder, "expected pictures of this class, got none"));
            }
        }
        Ok(Self { directory: directory.to_path_buf(), labels, files })
    }
}

fn data_error(place: &Path, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Data, message).within(place.display())
}

/// What is in a directory, in alphabetical order, hidden entries left out.
fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory).map_err(io_error(directory))? {
        let entry = entry.map_err(io_error(directory))?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            entries.push(entry.path());
        }
    }
    entries.sort();
    Ok(entries)
}

fn classes(directory: &Path) -> Result<Vec<String>> {
    if !directory.is_dir() {
        return Err(data_error(directory, "expected a directory with one folder a class"));
    }
    let folders = entries(directory)?.into_iter().filter(|entry| entry.is_dir());
    let names = folders.filter_map(|folder| Some(folder.file_name()?.to_string_lossy().into()));
    let names: Vec<String> = names.collect();
    if names.is_empty() {
        return Err(data_error(directory, "expected one folder a class, got no folder"));
    }
    Ok(names)
}

/// Collects the files below `folder`.
fn pictures(folder: &Path, class: usize, files: &mut Vec<(PathBuf, usize)>) -> Result<()> {
    for entry in entries(folder)? {
        if entry.is_dir() {
            pictures(&entry, class, files)?;
        } else {
            files.push((entry, class));
        }
    }
    Ok(())
}

/// Reads a picture, turned as its camera says.
pub fn decode(path: &Path) -> Result<RgbaImage> {
    let picture = || {
        let mut decoder = ImageReader::open(path)?.with_guessed_format()?.into_decoder()?;
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let mut picture = DynamicImage::from_decoder(decoder)?;
        picture.apply_orientation(orientation);
        Ok(picture.into_rgba8())
    };
    picture().map_err(|error: image::ImageError| {
        data_error(path, format!("expected a picture (JPEG, PNG or WebP), got: {error}"))
    })
}

enum Pixels {
    Exact(Vec<f32>),
    Rounded(Vec<u8>),
}

/// Labelled pictures in memory, already of the network's input size, or larger where augmentation cuts from them.
pub struct Pictures {
    /// What the pixels are kept as.
    input: Input,
    /// Height and width of what is loaded.
    size: [usize; 2],
    pixels: Pixels,
    labels: Vec<usize>,
    /// Where each picture came from.
    pub files: Vec<PathBuf>,
    /// How many could not be read.
    pub unreadable: usize,
    /// What happens to a picture that is loaded for training.
    pub augment: Augment,
}

impl Pictures {
    /// Loads at `size` what was read larger. Without augmentation that is not what a classifier would see.
    pub fn cut_to(&mut self, size: [usize; 2]) {
        self.size = size;
    }

    /// Reads all of `folder` on all threads. Pictures that cannot be read are named and left out, or end it all where
    /// `strict`.
    pub fn read(folder: &Folder, input: &Input, strict: bool) -> Result<Self> {
        let started = Instant::now();
        let progress = Bar::new(folder.files.len(), "reading");
        let len = input.image_len();
        let count = folder.files.len();
        let read = |scratch: &mut Vec<f32>, path: &Path, out: &mut [f32]| {
            let picture = decode(path)?;
            let (width, height) = (picture.width() as usize, picture.height() as usize);
            to_tensor(&picture, width, height, input, out, scratch)?;
            progress.advance(1);
            Ok(())
        };
        let files = folder.files.par_iter();
        let (mut pixels, results): (_, Vec<Result<()>>) = if count * len * 4 <= EXACT {
            let mut pixels = vec![0.0; count * len];
            let results = files
                .zip(pixels.par_chunks_exact_mut(len))
                .map_init(Vec::new, |scratch, ((path, _), out)| read(scratch, path, out))
                .collect();
            (Pixels::Exact(pixels), results)
        } else {
            let mut pixels = vec![0; count * len];
            let buffers = || (Vec::new(), vec![0.0; len]);
            let results = files
                .zip(pixels.par_chunks_exact_mut(len))
                .map_init(buffers, |(scratch, exact), ((path, _), out)| {
                    read(scratch, path, exact)?;
                    let level = |value: &f32| (value / input.rescale).round() as u8;
                    out.iter_mut().zip(&*exact).for_each(|(out, value)| *out = level(value));
                    Ok(())
                })
                .collect();
            (Pixels::Rounded(pixels), results)
        };
        progress.finish();
        let mut kept = Vec::new();
        for (index, result) in results.into_iter().enumerate() {
            match result {
                Ok(()) => kept.push(index),
                Err(error) if strict => return Err(error),
                Err(error) => eprintln!("skipped {error}"),
            }
        }
        match &mut pixels {
            Pixels::Exact(pixels) => keep(pixels, len, &kept),
            Pixels::Rounded(pixels) => keep(pixels, len, &kept),
        }
        let (files, labels): (Vec<_>, Vec<_>) =
            kept.iter().map(|&index| folder.files[index].clone()).unzip();
        let unreadable = count - kept.len();
        let pictures = Self {
            input: input.clone(),
            size: [input.height, input.width],
            pixels,
            labels,
            files,
            unreadable,
            augment: Augment::default(),
        };
        pictures.report(folder, started)?;
        Ok(pictures)
    }

    /// Each picture as bytes, with its class.
    pub fn into_bytes(self) -> Vec<(Vec<u8>, usize)> {
        let rescale = self.input.rescale;
        let bytes = |picture: &[f32]| {
            picture.iter().map(|value| (value / rescale + 0.5) as u8).collect::<Vec<u8>>()
        };
        let len = self.input.image_len();
        let pictures: Vec<Vec<u8>> = match &self.pixels {
            Pixels::Exact(pixels) => pixels.chunks_exact(len).map(bytes).collect(),
            Pixels::Rounded(pixels) => pixels.chunks_exact(len).map(<[u8]>::to_vec).collect(),
        };
        pictures.into_iter().zip(self.labels).collect()
    }

    /// Says what was read; a class of which nothing could be is an error.
    fn report(&self, folder: &Folder, started: Instant) -> Result<()> {
        let mut classes = Vec::new();
        for (class, label) in folder.labels.iter().enumerate() {
            let count = self.labels.iter().filter(|&&other| other == class).count();
            if count == 0 && folder.files.iter().any(|(_, other)| *other == class) {
                let place = folder.directory.join(label);
                return Err(data_error(
                    &place,
                    "expected pictures of this class, got none that can be read",
                ));
            }
            classes.push(format!("{label} {count}"));
        }
        let skipped = match self.unreadable {
            0 => String::new(),
            count => format!(", {count} unreadable skipped"),
        };
        eprintln!(
            "{}: {} pictures ({}){skipped}, read in {:.1} s",
            folder.directory.display(),
            self.len(),
            classes.join(", "),
            started.elapsed().as_secs_f32()
        );
        Ok(())
    }
}

/// Keeps the pictures at the indices `kept`, which ascend.
fn keep<T: Copy>(pixels: &mut Vec<T>, len: usize, kept: &[usize]) {
    for (to, &from) in kept.iter().enumerate() {
        pixels.copy_within(from * len..(from + 1) * len, to * len);
    }
    pixels.truncate(kept.len() * len);
}

impl Dataset for Pictures {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn label(&self, index: usize) -> usize {
        self.labels[index]
    }

    fn load(&self, index: usize, rng: Option<&mut Rng>, x: &mut [f32]) {
        let Input { height, width, channels, rescale, .. } = self.input;
        let len = self.input.image_len();
        let range = index * len..(index + 1) * len;
        let levels: Vec<f32>;
        let picture = match &self.pixels {
            Pixels::Exact(pixels) => &pixels[range],
            Pixels::Rounded(pixels) => {
                levels = pixels[range].iter().map(|&level| f32::from(level) * rescale).collect();
                &levels
            }
        };
        let transform = match rng {
            Some(rng) => self.augment.draw(rng),
            None if self.size == [height, width] => return x.copy_from_slice(picture),
            None => Transform::IDENTITY,
        };
        transform.apply(picture, [height, width, channels], 255.0 * rescale, self.size, x);
    }
}

/// Writes a file whole or not at all.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    fs::write(&part, bytes).map_err(io_error(path))?;
    fs::rename(&part, path).map_err(io_error(path))
}
