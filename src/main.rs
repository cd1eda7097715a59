//! The `bandog` binary: see the library's page for the map.

fn main() {}
