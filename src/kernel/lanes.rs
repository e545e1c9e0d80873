//! Vectors of floats.
