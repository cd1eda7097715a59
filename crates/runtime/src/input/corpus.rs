//! The seeds of the fuzz target `envelope`, and bodies made from them, in every test run.

use bandog_codec::corpus::replay;

use super::chunkings::check_envelope;

#[test]
fn whole_requests_from_the_corpus_hold_the_promises() {
    replay("envelope", 300, check_envelope);
}
