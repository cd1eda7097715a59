//! Decoders and checkers for the encodings of a request body: base64, gzip, JSON, `multipart/form-data`, the parameters
//! of header fields, and YAML; and quantities as people write them.
//!
//! Each decoder accepts its input in pieces of any size and buffers a bounded amount of it. This crate works on bytes
//! only: it opens no file, knows no socket and starts no process. Each decoder has a fuzz target.

pub mod base64;
#[cfg(any(test, feature = "testing"))]
pub mod chunkings;
pub mod content_headers;
#[cfg(any(test, feature = "testing"))]
pub mod corpus;
pub mod gzip;
pub mod json;
pub mod multipart;
pub mod parameters;
pub mod position;
pub mod quantity;
pub mod yaml;
