//! One run: the bandogs, the workers that play cases against them, and how all of it went.

use std::{
    path::Path,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    bandog::{Bandog, MAX_INFLIGHT, MAX_QUEUE, Service},
    census::{Census, Course, Peak},
    chance::Chance,
    chaos::Victims,
    crowd::Crowd,
    plan,
    play::{Player, Verdict},
    table::{self, Tally},
};

/// Clients at once: enough to fill the places and the queue of the function's bandog while some are at the others, and
/// to have some turned away; few enough for two cores.
const WORKERS: usize = MAX_INFLIGHT + MAX_QUEUE + 6;

/// How often a client that is turned away tries again.
const TRIES: usize = 20;

/// Wrong answers that are printed; after as many something is so broken that the rest says nothing new.
const MAX_PRINTED: usize = 30;

/// One of each, for every service in its order.
pub(crate) type Each<T> = [T; Service::ALL.len()];

/// Everything that the workers share.
pub(crate) struct Run {
    bandogs: Each<Bandog>,
    crowds: Each<Crowd>,
    seed: u64,
    next: AtomicU64,
    victims: Victims,
    tally: Mutex<Tally>,
    printed: AtomicUsize,
}

impl Run {
    pub(crate) fn start(binary: &Path, seed: u64) -> Result<Self, String> {
        let [function, server, actions] = Service::ALL.map(|service| Bandog::start(binary, service));
        Ok(Self {
            bandogs: [function?, server?, actions?],
            crowds: Service::ALL.map(|_| Crowd::default()),
            seed,
            next: AtomicU64::new(0),
            victims: Victims::default(),
            tally: Mutex::new(Tally::new()),
            printed: AtomicUsize::new(0),
        })
    }

    pub(crate) fn bandog(&self, service: Service) -> &Bandog {
        &self.bandogs[service as usize]
    }

    pub(crate) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until each holds no more than at its start, or patience is over; what it holds then.
    pub(crate) fn when_quiet(&self, start: Each<Census>) -> Each<Census> {
        Service::ALL.map(|service| Census::when_quiet(self.bandog(service), &start[service as usize]))
    }

    /// Traffic for so long, and until its last case has ended.
    pub(crate) fn traffic(&self, length: Duration) -> Each<Peak> {
        let until = Instant::now() + length;
        let stop = &AtomicBool::new(false);
        thread::scope(|scope| {
            let peaks = self.bandogs.each_ref().map(|bandog| scope.spawn(move || Peak::watch(bandog, stop)));
            let killer = scope.spawn(|| {
                let bandogs: Vec<_> = self.bandogs.iter().filter(|bandog| bandog.service.has_calls()).collect();
                self.victims.make(&bandogs, self.seed, stop);
            });
            let workers: Vec<_> = (0..WORKERS).map(|number| scope.spawn(move || self.work(number, until))).collect();
            for worker in workers {
                worker.join().expect("a worker panicked");
            }
            stop.store(true, Ordering::Relaxed);
            killer.join().expect("the killer panicked");
            peaks.map(|peak| peak.join().expect("the watch panicked"))
        })
    }

    fn work(&self, number: usize, until: Instant) {
        let mut chance = Chance::of(self.seed, u64::MAX - 1 - number as u64);
        while Instant::now() < until {
            self.case(self.next.fetch_add(1, Ordering::Relaxed));
            thread::sleep(Duration::from_millis(chance.below(20) as u64));
        }
    }

    /// Plays one case; if there was no place, again after a while.
    pub(crate) fn case(&self, index: u64) {
        let case = plan::case(self.seed, index);
        let service = case.kind.service();
        let crowd = &self.crowds[service as usize];
        let player = Player { bandog: self.bandog(service), crowd, victims: &self.victims };
        for _ in 0..TRIES {
            let verdicts = player.play(&case);
            for verdict in &verdicts {
                self.tally().count(case.kind, verdict);
                if let Verdict::Wrong(why) = verdict
                    && self.printed.fetch_add(1, Ordering::Relaxed) < MAX_PRINTED
                {
                    println!("soak: WRONG: case {} ({:?}): {why}", case.index, case.kind);
                }
            }
            if !verdicts.iter().all(|verdict| matches!(verdict, Verdict::TurnedAway)) {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn report(&self, courses: &[(Service, Course)]) -> String {
        let tally = self.tally();
        format!(
            "{}\nFunctions killed at random: {}.\n\n{}",
            tally.table(),
            self.victims.count(),
            table::census(courses)
        )
    }

    /// The broken promises.
    pub(crate) fn faults(&self, courses: &[(Service, Course)]) -> Vec<String> {
        let tally = self.tally();
        let mut faults = Vec::new();
        if tally.wrong() > 0 {
            faults.push(format!("{} of {} answers were wrong", tally.wrong(), tally.sent()));
        }
        if !tally.unseen().is_empty() {
            faults.push(format!("nothing was shown of: {}", tally.unseen().join("; ")));
        }
        if tally.turned_away(Service::Function) == 0 {
            faults.push("no call of the function was turned away: the queue was not tried".to_owned());
        }
        for (service, course) in courses {
            let bandog = self.bandog(*service);
            let all = course.faults(bandog).into_iter().chain(bandog.has_no_calls().err());
            faults.extend(all.map(|fault| format!("{} bandog: {fault}", service.name())));
        }
        faults
    }

    /// Stops each; what is wrong with how it ended, or what it left.
    pub(crate) fn stop(&mut self) -> Vec<String> {
        let mut faults = Vec::new();
        for bandog in &mut self.bandogs {
            let name = bandog.service.name();
            if let Err(why) = bandog.stop() {
                faults.push(format!("{name} bandog: {why}"));
            }
            let (processes, workspaces) = (bandog.processes(), bandog.workspaces());
            if !processes.is_empty() || !workspaces.is_empty() {
                faults.push(format!("{name} bandog: after its end there are left: {processes:?} {workspaces:?}"));
            }
            let log = bandog.log();
            if log.contains("panicked") || log.contains("this is a bug") {
                faults.push(format!("{name} bandog: its log: {log}"));
            }
        }
        faults
    }
}
