//! Forms: any bytes, in any pieces, against a parser that has the whole body.

#![no_main]

use bandog::intake::*;
use libfuzzer_sys::fuzz_target;

#[expect(dead_code, reason = "each target takes its own check")]
#[path = "../../src/intake/chunkings.rs"]
mod chunkings;

fuzz_target!(|body: &[u8]| chunkings::check_multipart(body));
