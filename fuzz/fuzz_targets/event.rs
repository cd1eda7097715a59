//! Events about objects: any bytes are none, or notices that a run can go on with.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bandog_storage::testing::events::check_event(bytes));
