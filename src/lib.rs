//! A convolutional neural network that trains and classifies inside a browser tab.
//!
//! The way of a picture, there and back:
//!
//! | stage | item |
//! | --- | --- |
//! | pixels, H x W x 4 bytes | [`image`] |
//! | tensor, N x H x W x C f32 in \[0, 1\] | [`image::to_array`] |
//! | layers | [`model::Model::forward`] |
//! | probabilities, loss | [`loss::Loss::forward`] |
//! | gradients | [`loss::Loss::backward`], then [`model::Model::backward`], which mirrors `forward` |
//! | weights | [`optimizer::Optimizer::step`] |
//!
//! [`train::train_on_batch`] is that table, a call a row; [`train::fit`] is the epochs around it;
//! [`transfer::Transfer`] teaches a trained network new classes; [`classifier::Classifier`] is the first half alone, with
//! labels. Here a network learns to tell a red picture from a blue one:
//!
//! ```
//! use convlet::image::{Input, to_array};
//! use convlet::layer::{Activation, Conv2D, Dense, Flatten, MaxPooling2D};
//! use convlet::{model::Model, optimizer::Optimizer, train::train_on_batch};
//! use ndarray::{array, concatenate, Axis};
//!
//! let red = [[255, 0, 0, 255]; 100].concat();
//! let blue = [[0, 0, 255, 255]; 100].concat();
//! let input = Input::rgb(8, 8);
//! let x = concatenate![Axis(0), to_array(&red, 10, 10, &input)?, to_array(&blue, 10, 10, &input)?];
//! let targets = array![[0.0], [1.0]];
//!
//! let mut model = Model::sequential(
//!     [8, 8, 3],
//!     vec![
//!         Box::new(Conv2D::new(4, 3).activation(Activation::Relu)),
//!         Box::new(MaxPooling2D::new(2)),
//!         Box::new(Flatten),
//!         Box::new(Dense::new(1).activation(Activation::Sigmoid)),
//!     ],
//!     42,
//! )?;
//! let mut optimizer = Optimizer::adam(0.01);
//! let (first, _) = train_on_batch(&mut model, &mut optimizer, x.view(), targets.view())?;
//! for _ in 0..20 {
//!     train_on_batch(&mut model, &mut optimizer, x.view(), targets.view())?;
//! }
//! let (last, _) = train_on_batch(&mut model, &mut optimizer, x.view(), targets.view())?;
//! assert!(last < first / 2.0, "the loss fell only from {first} to {last}");
//!
//! let probabilities = model.predict(x.view())?;
//! assert!(probabilities[[0, 0]] < 0.5 && probabilities[[1, 0]] > 0.5);
//! # Ok::<(), convlet::error::Error>(())
//! ```

#![deny(missing_docs, unsafe_code)]

pub mod architecture;
#[cfg(feature = "train")]
pub mod augment;
pub mod classifier;
pub mod confidence;
pub mod error;
pub mod file;
pub mod image;
mod json;
// The way back shares imports and helpers with the way there.
#[cfg_attr(not(feature = "train"), allow(unused_imports, dead_code))]
pub mod layer;
#[cfg(feature = "train")]
pub mod loss;
#[cfg(feature = "train")]
pub mod metric;
pub mod model;
#[cfg(feature = "train")]
pub mod optimizer;
pub mod rng;
#[cfg(feature = "train")]
pub mod train;
#[cfg(feature = "train")]
pub mod transfer;
#[cfg(all(feature = "wasm", target_family = "wasm"))]
pub mod wasm;

pub use convlet_kernel as kernel;

/// The README's Rust is compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
