//! Encodings of bytes: base64, gzip, JSON, `multipart/form-data`, header parameters, YAML; and quantities
//! as people write them.
//!
//! Every decoder takes its input in pieces of any size and holds back only a bounded amount of it. Nothing here opens a
//! file, knows a socket or starts a process; each decoder has a fuzz target.

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
