//! Replays the seeds of the fuzz target `event`, and mutations of them, in every test run.

use bandog_codec::corpus::replay;

#[test]
fn events_from_the_corpus_hold_the_promises() {
    replay("event", 2000, crate::testing::events::check_event);
}
