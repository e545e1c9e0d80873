//! `convlet convert`: a model file with its weights kept smaller.

use std::path::PathBuf;

use clap::ValueEnum;
use convlet::error::Result;
use convlet::file::{ModelFile, Storage};

use crate::data::write;
use crate::{io_error, print};

/// Writes a model file with smaller weights, or with those of another file at full size.
#[derive(clap::Args)]
pub struct Args {
    /// A model file.
    model: PathBuf,
    /// What weights are rounded to.
    #[arg(long, value_enum)]
    dtype: Dtype,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Dtype {
    F32,
    /// 2 bytes a weight.
    F16,
    /// 1 byte a weight, a scale for each output channel.
    Int8,
}

pub fn run(args: &Args) -> Result<()> {
    let bytes = std::fs::read(&args.model).map_err(io_error(&args.model))?;
    let place = |error: convlet::error::Error| error.within(args.model.display());
    let file = ModelFile::from_bytes(&bytes).map_err(place)?;
    let storage = match args.dtype {
        Dtype::F32 => Storage::F32,
        Dtype::F16 => Storage::F16,
        Dtype::Int8 => Storage::Int8,
    };
    let smaller = file.to_bytes_as(storage).map_err(place)?;
    write(&args.out, &smaller)?;
    print(format_args!(
        "wrote {}: {} bytes instead of {}",
        args.out.display(),
        smaller.len(),
        bytes.len()
    ));
    Ok(())
}
