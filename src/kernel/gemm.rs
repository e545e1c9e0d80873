//! The matrix product behind convolution and dense layers.
