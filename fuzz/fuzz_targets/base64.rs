//! base64 decoding: any bytes, in any pieces, against the `base64` crate.

#![no_main]

use bandog::intake::*;
use libfuzzer_sys::fuzz_target;

#[expect(dead_code, reason = "each target takes its own check")]
#[path = "../../src/intake/chunkings.rs"]
mod chunkings;

fuzz_target!(|body: &[u8]| chunkings::check_base64(body));
