use proptest::prelude::*;

use super::*;

fn content(logs: &Logs) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = [0; 1000];
    loop {
        let read = logs.read_at(all.len() as u64, &mut buffer).expect("readable");
        if read == 0 {
            return all;
        }
        all.extend_from_slice(&buffer[..read]);
    }
}

#[test]
fn what_does_not_fit_in_memory_is_read_back_from_the_file_unchanged() {
    let dir = tempfile::tempdir().expect("tempdir");
    let mut logs = Logs::new(Level::Critical, 0, Some(Arc::new(File::open(dir.path()).expect("a directory").into())));
    let mut wanted = Vec::new();
    for number in 0..100_000 {
        let line = format!("line {number}\n");
        logs.output(line.as_bytes());
        wanted.extend_from_slice(line.as_bytes());
    }
    assert!(logs.recent.len() <= MEMORY_LIMIT, "memory is bounded");
    assert_eq!(std::fs::read_dir(dir.path()).expect("dir").count(), 0, "the file has no name");
    assert!(content(&logs) == wanted);
    logs.seal();
    assert!(content(&logs) == wanted);
    assert_eq!(logs.len(), wanted.len() as u64);
}

#[test]
fn large_pieces_and_small_ones_are_kept_in_the_order_written() {
    let dir = tempfile::tempdir().expect("tempdir");
    let mut logs = Logs::new(Level::Critical, 0, Some(Arc::new(File::open(dir.path()).expect("a directory").into())));
    let mut wanted = Vec::new();
    for (number, length) in [65_536, 10, 65_536, 65_536, 65_536, 1, 65_536, 300, 32_768, 32_767].iter().enumerate() {
        let piece: Vec<u8> = (0..=250).cycle().skip(number).take(*length).collect();
        logs.output(&piece);
        wanted.extend_from_slice(&piece);
        assert!(content(&logs) == wanted, "after {number} pieces");
    }
    assert!(logs.spilled.is_some(), "all of that is more than memory holds");
}

#[test]
fn over_the_maximum_the_middle_is_left_out_and_marked() {
    let mut logs = Logs::new(Level::Critical, 1000, None);
    for number in 0..100_000 {
        logs.output(format!("{number:08}\n").as_bytes());
    }
    logs.seal();
    assert!(logs.take_loss().is_none());
    let text = String::from_utf8(content(&logs)).expect("text");
    assert!(text.starts_with("00000000\n00000001\n"));
    assert!(text.ends_with("00099998\n00099999\n"));
    assert_eq!((logs.len(), text.len()), (1000, 1000));
    assert!(text.contains("\n[bandog: 899062 bytes of logs left out here; see --max-logs]\n"), "{text}");
}

#[test]
fn exactly_the_maximum_is_not_a_cut_and_one_byte_more_is() {
    for max in [1, 50, 100, 1000, 300_000] {
        let written: Vec<u8> = (b'a'..=b'z').cycle().take(max + 1).collect();
        for length in [max, max + 1] {
            let mut logs = Logs::new(Level::Critical, max as u64, None);
            for piece in written[..length].chunks(37) {
                logs.output(piece);
            }
            logs.seal();
            assert_eq!(content(&logs) == written[..length], length == max, "{length} of {max}");
            assert_eq!(logs.len(), max as u64, "{length} of {max}");
        }
    }
}

#[test]
fn without_a_place_to_spill_memory_stays_bounded_and_the_end_is_kept() {
    let mut logs = Logs::new(Level::Critical, 0, None);
    for _ in 0..10_000 {
        logs.output(&[b'x'; 1000]);
    }
    logs.output(b"the end");
    logs.seal();
    assert!(logs.take_loss().is_some(), "it is told from a cut that was asked for");
    assert!(logs.recent.len() + logs.tail.len() <= MEMORY_LIMIT + 2 * TAIL_LIMIT);
    assert!(logs.tail(7).expect("readable") == "the end");
}

#[test]
fn an_own_line_starts_on_a_line_of_its_own_and_obeys_the_level() {
    let moment: Timestamp = "2026-11-20T14:49:56.867Z".parse().expect("time");
    let mut logs = Logs::new(Level::Info, 0, None).with_logger("name");
    logs.note(Level::Debug, moment, "unseen");
    logs.output(b"no newline");
    logs.note(Level::Info, moment, "seen");
    assert_eq!(content(&logs), b"no newline\n2026-11-20 14:49:56,867 - name - INFO - seen\n");
    let mut critical = Logs::new(Level::Critical, 0, None);
    critical.note(Level::Critical, moment, "unseen");
    assert!(critical.is_empty());
}

proptest! {
    #[test]
    fn the_logs_are_never_longer_than_the_maximum_and_a_cut_is_counted(
        max in prop_oneof![1_u64..200, 200_u64..2000, 60_000_u64..200_000],
        pieces in prop::collection::vec(prop_oneof![0_usize..40, 40_usize..3000, 60_000_usize..80_000], 0..12),
    ) {
        let written: Vec<u8> = (b'a'..=b'w').cycle().take(pieces.iter().sum::<usize>()).collect();
        let mut logs = Logs::new(Level::Critical, max, None);
        let mut at = 0;
        for length in pieces {
            logs.output(&written[at..at + length]);
            at += length;
            prop_assert!(logs.len() <= max);
        }
        logs.seal();
        let found = content(&logs);
        prop_assert_eq!(logs.len(), found.len() as u64);
        if written.len() as u64 <= max {
            prop_assert!(found == written);
        } else {
            prop_assert_eq!(found.len() as u64, max);
            if max >= MARK {
                let text = String::from_utf8(found).expect("text");
                let (head, rest) = text.split_once("\n[bandog: ").expect("a mark");
                let (cut, tail) = rest.split_once(" bytes of logs left out here; see --max-logs]\n").expect("a mark");
                prop_assert_eq!(head.len() + tail.len() + cut.parse::<usize>().expect("a number"), written.len());
                prop_assert!(written.starts_with(head.as_bytes()) && written.ends_with(tail.as_bytes()));
            }
        }
    }
}
