//! The file of actions: any bytes make a service that holds what it promises, or mistakes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bandog_actions::testing::check_file(bytes));
