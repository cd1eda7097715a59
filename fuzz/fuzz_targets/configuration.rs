//! The parsers of the configuration: YAML, durations, sizes, addresses, command lines.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bandog::config::parse_anything(bytes));
