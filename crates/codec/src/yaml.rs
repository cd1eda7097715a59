//! A YAML document as a tree, with anchors resolved and merge keys (`<<`) applied.
//!
//! It knows no schema: the callers decide which keys they read. granit-parser parses; [`Node::parse`] builds the tree
//! from its events. A crate that fills Rust types from YAML would bring a second scanner and a renderer of error
//! messages, a tenth of the binary.

mod builder;
mod error;
mod node;
mod scalar;
#[cfg(test)]
mod tests;

pub use error::{LineColumn, YamlError};
pub use node::{MAX_DEPTH, MAX_NODES, MappingEntries, Node};
