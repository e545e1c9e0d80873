//! A convolutional neural network that trains and classifies inside a browser tab.

#![deny(missing_docs, unsafe_code)]

pub mod architecture;
pub mod augment;
pub mod error;
pub mod file;
pub mod image;
mod json;
pub mod kernel;
pub mod rng;
