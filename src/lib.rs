//! A convolutional neural network that trains and classifies inside a browser tab.

#![deny(missing_docs, unsafe_code)]

pub mod architecture;
pub mod augment;
pub mod classifier;
pub mod error;
pub mod file;
pub mod image;
mod json;
pub mod kernel;
pub mod layer;
pub mod loss;
pub mod metric;
pub mod model;
pub mod optimizer;
pub mod rng;
pub mod train;
