//! The arguments of an action: a line of a query, then a body in JSON or as a form.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bandog_actions::testing::check_arguments(bytes));
