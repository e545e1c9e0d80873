//! The JavaScript interface, over one wasm instance: what the page's worker calls, with Keras's and TensorFlow.js's names.
//!
//! A picture's way: `pixels` says where in wasm memory its RGBA bytes go, JavaScript copies them there in one piece,
//! [`Network::classify_pixels`] and its like do the rest. Figures cross as plain objects, options as JSON. Every failure is an
//! `Error` with a `code` ([`ErrorKind::code`](crate::error::ErrorKind::code)).

use js_sys::{Error as JsError, Reflect};
use serde_json::Value;
use wasm_bindgen::prelude::*;

use crate::error::{Error, Result, bail};
use crate::json;

#[cfg(feature = "train")]
mod inspector;
mod network;
#[cfg(feature = "train")]
mod tensors;
#[cfg(feature = "train")]
mod trainer;

pub use network::Network;
#[cfg(feature = "train")]
pub use trainer::Trainer;

/// What JavaScript catches.
type Thrown<T> = std::result::Result<T, JsValue>;

/// Bytes of the largest picture: 268 megapixels, which no camera and no browser's canvas exceeds.
const MAX_PICTURE: usize = 1 << 30;

/// Panics are bugs of ours: the console shows where, and the instance traps.
#[wasm_bindgen(start)]
fn start() {
    console_error_panic_hook::set_once();
}

impl From<Error> for JsValue {
    fn from(error: Error) -> Self {
        let thrown = JsError::new(&error.to_string());
        // Neither can fail on an object made a line ago.
        let _ = Reflect::set(&thrown, &"name".into(), &"ConvletError".into());
        let _ = Reflect::set(&thrown, &"code".into(), &error.kind().code().into());
        thrown.into()
    }
}

/// The RGBA bytes of a picture, row by row.
#[derive(Default)]
struct Pixels(Vec<u8>);

impl Pixels {
    /// Where the bytes of a picture of this size go.
    fn room(&mut self, width: usize, height: usize) -> Thrown<*const u8> {
        self.resize(width, height)?;
        Ok(self.0.as_ptr())
    }

    /// Makes room, or says that it cannot be had: memory that runs out would be a trap.
    fn resize(&mut self, width: usize, height: usize) -> Result<()> {
        let len = width.saturating_mul(height).saturating_mul(4);
        let missing = len.saturating_sub(self.0.len());
        if len > MAX_PICTURE || self.0.try_reserve_exact(missing).is_err() {
            bail!(Argument, "picture: {width} x {height} pixels do not fit into memory");
        }
        self.0.resize(len, 0);
        Ok(())
    }
}

/// JSON as JavaScript has it. By way of its text, as what writes that is here anyway.
fn parsed(value: impl Into<Value>) -> Thrown<JsValue> {
    js_sys::JSON::parse(&json::write(&value.into()))
}
