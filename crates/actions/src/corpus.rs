//! Replays the seeds of the fuzz targets `actions` and `arguments`, and mutations of them, in every test run.

use bandog_codec::corpus::replay;

#[test]
fn files_of_actions_from_the_corpus_make_a_service_or_mistakes() {
    replay("actions", 2000, crate::testing::check_file);
}

#[test]
fn arguments_from_the_corpus_hold_the_promises() {
    replay("arguments", 5000, crate::testing::check_arguments);
}
