//! Whole bodies with their labels (four lines of header values first): the same files in any pieces, none after an
//! error.

#![no_main]

use bandog_runtime::input::chunkings;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| chunkings::check_envelope(body));
