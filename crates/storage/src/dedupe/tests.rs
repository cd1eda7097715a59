use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    thread,
};

use proptest::prelude::*;

use super::*;
use crate::{
    error::ErrorKind,
    event::{EventSource, NoticeKind},
    object::ObjectPath,
};

/// A memory with a clock that a test moves.
struct Timed {
    dedupe: Dedupe,
    passed: Arc<AtomicU64>,
}

impl Timed {
    fn new() -> Self {
        let (start, passed) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        let clock = Arc::clone(&passed);
        let dedupe = Dedupe::new(move || start + Duration::from_millis(clock.load(Ordering::SeqCst)));
        Self { dedupe, passed }
    }

    fn pass(&self, time: Duration) {
        self.passed.fetch_add(u64::try_from(time.as_millis()).expect("short"), Ordering::SeqCst);
    }

    fn begin(&self, name: &str) -> Begun {
        self.dedupe.begin(key(name), &Control::default()).expect("not stopped")
    }

    fn run(&self, name: &str) -> RunGuard {
        match self.begin(name) {
            Begun::Run(run) => run,
            other => panic!("{name}: {other:?}"),
        }
    }

    fn busy(&self, name: &str) -> Duration {
        match self.begin(name) {
            Begun::Busy { retry_after } => retry_after,
            other => panic!("{name}: {other:?}"),
        }
    }

    fn remembered(&self) -> usize {
        let state = lock(&self.dedupe.shared.state);
        assert!(state.ended.len() <= state.entries.len());
        state.entries.len()
    }
}

fn notice(key: &str) -> Notice {
    Notice {
        etag: Some("e".to_owned()),
        version: Some("v".to_owned()),
        sequencer: Some("s".to_owned()),
        time: Some("t".to_owned()),
        ..Notice::new(EventSource::Aws, "", ObjectPath::new("b", key), NoticeKind::Created)
    }
}

fn key(name: &str) -> EventKey {
    EventKey::of(&notice(name)).expect("a key")
}

#[test]
fn an_event_that_succeeded_is_a_duplicate_for_a_day() {
    let timed = Timed::new();
    timed.run("a").succeed();
    assert!(matches!(timed.begin("a"), Begun::Duplicate));
    timed.pass(MEMORY.saturating_sub(Duration::from_millis(1)));
    assert!(matches!(timed.begin("a"), Begun::Duplicate));
    timed.pass(Duration::from_millis(1));
    timed.run("a").succeed();
    timed.run("b").succeed();
    assert_eq!(timed.remembered(), 2);
    timed.pass(MEMORY);
    drop(timed.run("c"));
    assert_eq!(timed.remembered(), 1, "old ones are forgotten");
}

#[test]
fn an_event_that_failed_runs_again_after_a_pause_that_doubles() {
    let timed = Timed::new();
    for expected in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600] {
        drop(timed.run("a"));
        let pause = Duration::from_secs(expected);
        assert_eq!(timed.busy("a"), pause);
        timed.pass(pause.saturating_sub(Duration::from_millis(1)));
        assert_eq!(timed.busy("a"), Duration::from_millis(1));
        timed.pass(Duration::from_millis(1));
    }
    timed.run("a").succeed();
    assert!(matches!(timed.begin("a"), Begun::Duplicate));
    timed.pass(MEMORY);
    drop(timed.run("a"));
    assert_eq!(timed.busy("a"), FIRST_PAUSE, "after a success the pauses begin again");
    assert_eq!(pause_after(u32::MAX), LONGEST_PAUSE);
}

#[test]
fn a_panic_and_an_early_return_are_failures() {
    let timed = Timed::new();
    let run = timed.run("a");
    let outcome = catch_unwind(AssertUnwindSafe(move || {
        let _run = run;
        panic!("in the run");
    }));
    assert!(outcome.is_err());
    assert_eq!(timed.busy("a"), FIRST_PAUSE);
}

#[test]
fn an_event_that_comes_again_meanwhile_waits_for_the_outcome() {
    for succeeds in [true, false] {
        let timed = Timed::new();
        let run = timed.run("a");
        let joined = AtomicUsize::new(0);
        thread::scope(|scope| {
            let waiting: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let begun = timed.begin("a");
                        joined.fetch_add(1, Ordering::SeqCst);
                        begun
                    })
                })
                .collect();
            // Each holds the run once it has joined, as the memory does.
            let waiters = || match &lock(&timed.dedupe.shared.state).entries[&key("a")].status {
                Status::Running(run) => Arc::strong_count(run) - 1,
                Status::Ended { .. } => panic!("it runs"),
            };
            while waiters() < 8 {
                thread::yield_now();
            }
            assert_eq!(joined.load(Ordering::SeqCst), 0, "none has an answer yet");
            timed.run("b").succeed();
            if succeeds {
                run.succeed();
            } else {
                drop(run);
            }
            let expected = if succeeds { Outcome::Succeeded } else { Outcome::Failed { retry_after: FIRST_PAUSE } };
            for waiter in waiting {
                let begun = waiter.join().expect("joined");
                assert!(matches!(begun, Begun::Joined(outcome) if outcome == expected), "{begun:?}");
            }
        });
    }
}

#[test]
fn waiting_ends_with_the_call() {
    let timed = Timed::new();
    let _run = timed.run("a");
    let control = Control { deadline: Some(Instant::now()), cancel: None };
    let error = timed.dedupe.begin(key("a"), &control).expect_err("the time is over");
    assert_eq!(error.kind, ErrorKind::Stopped);
    let cancel = bandog_process::Cancel::new();
    cancel.cancel(bandog_process::Cause::Shutdown);
    let control = Control { deadline: None, cancel: Some(&cancel) };
    assert_eq!(timed.dedupe.begin(key("a"), &control).expect_err("cancelled").kind, ErrorKind::Stopped);
}

#[test]
fn the_memory_is_bounded_and_the_event_that_ended_first_is_forgotten() {
    let timed = Timed::new();
    timed.run("first").succeed();
    timed.run("second").succeed();
    let running = timed.run("running");
    for number in 0..LIMIT - 3 {
        timed.run(&format!("{number}")).succeed();
    }
    assert_eq!(timed.remembered(), LIMIT);
    timed.run("one more").succeed();
    assert_eq!(timed.remembered(), LIMIT);
    assert!(matches!(timed.begin("second"), Begun::Duplicate));
    timed.run("first").succeed();
    for number in 0..LIMIT {
        drop(timed.run(&format!("again {number}")));
    }
    assert_eq!(timed.remembered(), LIMIT);
    running.succeed();
    assert!(matches!(timed.begin("running"), Begun::Duplicate), "one that runs is not forgotten");
}

#[test]
fn where_all_run_another_one_runs_without_being_remembered() {
    let timed = Timed::new();
    let running: Vec<_> = (0..LIMIT).map(|number| timed.run(&format!("{number}"))).collect();
    timed.run("beyond").succeed();
    timed.run("beyond").succeed();
    assert_eq!(timed.remembered(), LIMIT);
    running.into_iter().for_each(RunGuard::succeed);
    timed.run("beyond").succeed();
    assert!(matches!(timed.begin("beyond"), Begun::Duplicate));
}

#[test]
fn an_event_that_fails_often_takes_one_place() {
    let timed = Timed::new();
    for _ in 0..100 {
        drop(timed.run("a"));
        timed.pass(LONGEST_PAUSE);
    }
    assert_eq!(timed.remembered(), 1);
    assert_eq!(lock(&timed.dedupe.shared.state).ended.len(), 1);
}

#[test]
fn of_many_threads_one_runs_an_event() {
    let timed = Timed::new();
    let runs = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for number in 0..200 {
                    match timed.begin(&format!("{number}")) {
                        Begun::Run(run) => {
                            runs.fetch_add(1, Ordering::SeqCst);
                            run.succeed();
                        }
                        Begun::Joined(Outcome::Succeeded) | Begun::Duplicate => {}
                        other => panic!("{other:?}"),
                    }
                }
            });
        }
    });
    assert_eq!(runs.load(Ordering::SeqCst), 200);
}

#[test]
fn an_event_is_told_from_others_by_each_of_its_parts() {
    let base = notice("k");
    let some = |text: &str| Some(text.to_owned());
    let others = [
        Notice { source: EventSource::Ceph, ..base.clone() },
        Notice { object: ObjectPath::new("c", "k"), ..base.clone() },
        Notice { sent_key: "l".to_owned(), ..base.clone() },
        Notice { version: some("w"), ..base.clone() },
        Notice { version: None, ..base.clone() },
        Notice { etag: some("f"), ..base.clone() },
        Notice { etag: some(""), ..base.clone() },
        Notice { etag: None, ..base.clone() },
        Notice { sequencer: some("r"), ..base.clone() },
        Notice { sequencer: None, ..base.clone() },
        Notice { version: some("ve"), etag: some(""), ..base.clone() },
    ];
    let mut keys: Vec<_> = others.iter().chain([&base]).map(EventKey::of).collect();
    let (count, mut seen) = (keys.len(), std::collections::HashSet::new());
    keys.retain(|key| key.is_some() && seen.insert(*key));
    assert_eq!(keys.len(), count);
    let later = Notice { time: some("u"), size: Some(1), ..base.clone() };
    assert_eq!(EventKey::of(&later), EventKey::of(&base), "the sequencer tells it, and the time does not count");
}

#[test]
fn without_a_sequencer_the_time_tells_a_new_object_from_an_event_sent_again() {
    let some = |text: &str| Some(text.to_owned());
    let bare = Notice { version: None, sequencer: None, ..notice("k") };
    let later = Notice { time: some("u"), ..bare.clone() };
    assert_ne!(EventKey::of(&bare), EventKey::of(&later));
    // Two events of one upload in parts, of which the second is a little later.
    let (put, complete) = (Notice { etag: some("e-2"), ..bare.clone() }, Notice { etag: some("e-2"), ..later });
    assert_eq!(EventKey::of(&put), EventKey::of(&complete));
    let null = Notice { version: some("null"), ..bare.clone() };
    assert_eq!(EventKey::of(&null), EventKey::of(&bare), "a version that all objects have tells nothing");
    let file = Notice { etag: None, time: None, ..bare };
    assert_eq!(EventKey::of(&file), None, "the same file can come many times");
}

/// The outcome of the last run of an event, as a plain list of rules says it.
#[derive(Clone, Copy)]
struct Remembered {
    at: u64,
    failures: u32,
    has_succeeded: bool,
}

proptest! {
    #[test]
    fn events_run_exactly_when_the_rules_say_so(
        steps in prop::collection::vec((0..3_usize, any::<bool>(), prop::sample::select(vec![0, 1, 2, 4, 60, 90_000])), 1..60),
    ) {
        let timed = Timed::new();
        let (mut now, mut events) = (0_u64, [None::<Remembered>; 3]);
        for (event, succeeds, pause) in steps {
            now += pause;
            timed.pass(Duration::from_secs(pause));
            let known = events[event].filter(|known| now - known.at < MEMORY.as_secs());
            let until = known.map_or(0, |known| known.at + pause_after(known.failures).as_secs());
            match timed.begin(&event.to_string()) {
                Begun::Duplicate => prop_assert!(known.is_some_and(|known| known.has_succeeded)),
                Begun::Busy { retry_after } => {
                    prop_assert!(known.is_some_and(|known| !known.has_succeeded));
                    prop_assert_eq!(retry_after, Duration::from_secs(until - now));
                }
                Begun::Run(run) => {
                    prop_assert!(known.is_none_or(|known| !known.has_succeeded && until <= now));
                    let failures = known.map_or(0, |known| known.failures) + u32::from(!succeeds);
                    events[event] = Some(Remembered { at: now, failures, has_succeeded: succeeds });
                    if succeeds {
                        run.succeed();
                    }
                }
                joined @ Begun::Joined(_) => prop_assert!(false, "{:?}", joined),
            }
        }
    }
}
