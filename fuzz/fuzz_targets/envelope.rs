//! Whole bodies with their labels (four lines of header values first): the same files in any pieces, none after an
//! error.

#![no_main]

use bandog::intake::*;
use libfuzzer_sys::fuzz_target;

#[expect(dead_code, reason = "each target takes its own check")]
#[path = "../../src/intake/chunkings.rs"]
mod chunkings;

fuzz_target!(|body: &[u8]| chunkings::check_envelope(body));
