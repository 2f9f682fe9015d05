//! Decompression of request bodies, within limits.

mod body;
mod decoder;

pub use body::{Decompression, GzipError};
pub use decoder::Malformed;
