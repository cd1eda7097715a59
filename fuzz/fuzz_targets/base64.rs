//! base64 decoding: any bytes, in any pieces, against the `base64` crate.

#![no_main]

use bandog_codec::chunkings;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| chunkings::check_base64(body));
