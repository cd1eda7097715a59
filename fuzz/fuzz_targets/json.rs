//! The JSON check: any bytes, in any pieces, against serde_json.

#![no_main]

use bandog_codec::chunkings;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| chunkings::check_json(body));
