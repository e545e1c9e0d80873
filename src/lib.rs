//! A convolutional neural network that trains and classifies inside a browser tab.

#![deny(missing_docs, unsafe_code)]

pub mod architecture;
pub mod error;
mod json;
pub mod kernel;
