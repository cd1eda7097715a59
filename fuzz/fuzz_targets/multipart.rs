//! Forms: any bytes, in any pieces, against a parser that has the whole body.

#![no_main]

use bandog_codec::chunkings;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| chunkings::check_multipart(body));
