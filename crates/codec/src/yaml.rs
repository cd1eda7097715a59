//! Y

mod builder;
mod error;
mod node;
mod scalar;
#[cfg(test)]
mod tests;

pub use error::{LineColumn, YamlError};
pub use node::{MAX_DEPTH, MAX_NODES, MappingEntries, Node};
