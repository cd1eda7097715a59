//! How a server stands: whether it has been started, listens, and is ready; and its process, if that is ours.

use std::{
    ffi::{CString, OsStr},
    io,
    net::{Ipv4Addr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Mutex, watch},
    time::{Instant, sleep, timeout_at},
};

use super::{closing, health::Health};
use crate::{
    http::{Server, handler::RETRY_AFTER, probe},
    ids,
    invocation::{Errand, Failure, Life, Outcome, PORT, Party, Report, Resident, Unanswered},
    process::variable,
    reply::problem::{Problem, Slug},
    workspace::Workspace,
};

/// Between two looks whether the function is ready: the first, and the longest.
const LOOK: Duration = Duration::from_millis(5);
const LONGEST_LOOK: Duration = Duration::from_millis(250);

/// How long what it has said counts for those who ask bandog.
const FRESH: Duration = Duration::from_secs(1);

/// How many ports are tried before the kernel is asked for any.
const TRIES: usize = 64;

/// How the function stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stand {
    /// It has been started, or soon will be, and is not ready.
    Starting,
    /// It takes requests.
    Ready,
    /// It could not be started, and is tried again after a while.
    NotStarted(String),
    /// There is none any more.
    Over,
}

/// Where a process of our own is told to listen.
#[derive(Debug)]
pub(super) enum Told {
    /// On a port that is free, another one at each start.
    Free(Arc<AtomicU16>),
    /// On this one.
    Fixed(u16),
    /// That is for itself to know.
    Nothing,
}

/// How far what stops a server has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Farewell {
    NotYet,
    Running,
    Over,
}

/// How a server stands, for all who want to know. It may listen at several addresses.
#[derive(Debug)]
pub(in crate::http) struct Standing {
    /// Whose standing it is.
    who: Party,
    /// Its process; `None` if somebody else has started it.
    resident: Option<Arc<Resident>>,
    /// What stops it, before its process is told to end.
    errand: Option<Arc<Errand>>,
    farewell: watch::Sender<Farewell>,
    told: Told,
    health: Health,
    stand: watch::Sender<Stand>,
    /// Counts the turns in its life, so that what was found out about one process is not said of the next.
    turn: AtomicU64,
    /// When it was asked last whether it is ready, and whether it was.
    asked: Mutex<Option<(Instant, bool)>>,
}

impl Standing {
    /// Nothing is started yet.
    pub(super) fn new(who: Party, resident: Option<Resident>, told: Told, health: Health) -> Self {
        Self {
            who,
            resident: resident.map(Arc::new),
            errand: None,
            farewell: watch::Sender::new(Farewell::NotYet),
            told,
            health,
            stand: watch::Sender::new(Stand::Starting),
            turn: AtomicU64::new(0),
            asked: Mutex::default(),
        }
    }

    /// With what stops it.
    pub(super) fn stopped_by(self, errand: Option<Errand>) -> Self {
        Self { errand: errand.map(Arc::new), ..self }
    }

    /// How long its end may take before its process is told.
    pub(in crate::http) fn patience(&self) -> Duration {
        self.errand.as_ref().map_or(Duration::ZERO, |errand| errand.limit().unwrap_or(Duration::MAX))
    }

    /// Whether its process is ours, and is started again when it has ended.
    pub(super) fn is_ours(&self) -> bool {
        self.resident.is_some()
    }

    /// Makes a workspace with files that the server is told of that of its process, which may have a user of its own.
    pub(super) fn hand_over(&self, workspace: &Workspace) -> Result<(), Failure> {
        self.resident.as_ref().map_or(Ok(()), |resident| resident.hand_over(workspace))
    }

    /// The next turn in its life; the number of it.
    fn turn(&self, stand: Stand) -> u64 {
        let mut turn = 0;
        self.stand.send_modify(|now| {
            turn = self.turn.fetch_add(1, Ordering::Relaxed) + 1;
            *now = stand;
        });
        turn
    }

    /// The number of this turn in its life.
    pub(super) fn now(&self) -> u64 {
        self.turn.load(Ordering::Relaxed)
    }

    pub(super) fn is_at(&self, turn: u64) -> bool {
        self.turn.load(Ordering::Relaxed) == turn
    }

    /// Waits until it is ready, or it is known that it will not be soon; until `patience` ends.
    pub(super) async fn settled(&self, patience: Option<Instant>) -> Result<(), Unanswered> {
        let mut stand = self.stand.subscribe();
        let settled = stand.wait_for(|stand| *stand != Stand::Starting);
        let settled = match patience {
            Some(patience) => timeout_at(patience, settled).await.ok().and_then(Result::ok),
            None => settled.await.ok(),
        };
        match settled.as_deref() {
            Some(Stand::NotStarted(reason)) => Err(Unanswered::NotStarted { who: self.who, reason: reason.clone() }),
            // Whoever goes on finds out.
            _ => Ok(()),
        }
    }

    /// Starts the function, if it is ours to start, and begins to look whether it is ready.
    pub(in crate::http) fn begin(self: &Arc<Self>, server: &Arc<Server>) {
        let Some(resident) = &self.resident else {
            let turn = self.turn(Stand::Starting);
            tokio::spawn(Arc::clone(self).look(turn));
            return;
        };
        let (this, resident, server) = (Arc::clone(self), Arc::clone(resident), Arc::clone(server));
        let runtime = Handle::current();
        let over = OverOnDrop(Arc::clone(self));
        let thread = thread::Builder::new().name("function".to_owned()).spawn(move || {
            let _over = over;
            let tell = |life| this.lives(life, &server, &runtime);
            resident.run(&|| this.variables(), &tell);
        });
        if let Err(error) = thread {
            tracing::error!("cannot start a thread for {}: {error}", self.who);
        }
    }

    /// What the function is told beside what it inherits: where to listen.
    fn variables(&self) -> io::Result<Vec<CString>> {
        let port = match &self.told {
            Told::Fixed(port) => *port,
            // Free at this moment. If somebody else takes it first the function fails, and is started on another one.
            Told::Free(told) => {
                let port = free_port()?;
                told.store(port, Ordering::Relaxed);
                port
            }
            Told::Nothing => return Ok(Vec::new()),
        };
        Ok(vec![variable(OsStr::new(PORT), OsStr::new(&port.to_string()))?])
    }

    /// Takes note of a turn in the function's life.
    fn lives(self: &Arc<Self>, life: Life, server: &Server, runtime: &Handle) {
        match life {
            Life::Started(_) => {
                let turn = self.turn(Stand::Starting);
                runtime.spawn(Arc::clone(self).look(turn));
            }
            Life::Ended(exit) => {
                server.count_exit(exit);
                self.turn(Stand::Starting);
            }
            Life::NotStarted(reason) => {
                self.turn(Stand::NotStarted(reason));
            }
        }
    }

    pub(in crate::http) fn let_end(&self) {
        if let Some(resident) = &self.resident {
            resident.let_end();
        }
    }

    /// Ends it: by what stops it, then its process by SIGTERM, and after the grace period by SIGKILL; or by that at
    /// once.
    pub(in crate::http) fn end(self: &Arc<Self>, now: bool) {
        if now {
            // What has not begun never will.
            self.farewell.send_if_modified(|stage| {
                let is_first = *stage == Farewell::NotYet;
                if is_first {
                    *stage = Farewell::Over;
                }
                is_first
            });
            if let Some(errand) = &self.errand {
                errand.end_now();
            }
        } else if let Some(errand) = self.errand.clone().filter(|_| self.begins_farewell()) {
            let this = Arc::clone(self);
            let thread = thread::Builder::new().name("shutdown".to_owned()).spawn(move || {
                let over = FarewellOnDrop(this);
                errand.run(&|| over.0.variables());
            });
            match thread {
                Ok(_) => return,
                Err(error) => tracing::error!("cannot start a thread for what stops the service: {error}"),
            }
            self.farewell.send_replace(Farewell::Over);
        } else if *self.farewell.borrow() == Farewell::Running {
            return;
        }
        if let Some(resident) = &self.resident {
            resident.end(now);
        }
    }

    /// Whether there is somebody to stop, and nobody has begun with it.
    fn begins_farewell(&self) -> bool {
        let is_there = matches!(*self.stand.borrow(), Stand::Starting | Stand::Ready);
        let mut is_first = false;
        self.farewell.send_modify(|stage| {
            is_first = *stage == Farewell::NotYet && is_there;
            if is_first {
                *stage = Farewell::Running;
            }
        });
        is_first
    }

    /// Ends when the process has, and is not started again, and nothing that stops it runs.
    pub(in crate::http) async fn is_over(&self) {
        if self.resident.is_some() {
            let _ = self.stand.subscribe().wait_for(|stand| *stand == Stand::Over).await;
        }
        let _ = self.farewell.subscribe().wait_for(|stage| *stage != Farewell::Running).await;
    }

    /// Looks until the function is ready, or has come to another turn in its life.
    async fn look(self: Arc<Self>, turn: u64) {
        let mut pause = LOOK;
        while self.is_at(turn) {
            if self.health.is_good().await {
                self.stand.send_if_modified(|stand| {
                    let is_news = self.is_at(turn) && *stand == Stand::Starting;
                    if is_news {
                        *stand = Stand::Ready;
                    }
                    is_news
                });
                if let Some(address) = &self.health.address {
                    tracing::info!("{} at {address} is ready", self.who);
                }
                return;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_LOOK);
        }
    }

    /// For `/_/ready`: how the function stands, or what it says itself if it may be asked.
    pub(in crate::http) async fn is_ready(&self) -> bool {
        if *self.stand.borrow() != Stand::Ready {
            return false;
        }
        if !self.health.is_asked() {
            return true;
        }
        // Whoever comes while it is being asked hears the same.
        let mut asked = self.asked.lock().await;
        if let Some((when, was_ready)) = *asked
            && when.elapsed() < FRESH
        {
            return was_ready;
        }
        let is_ready = self.health.is_good().await;
        *asked = Some((Instant::now(), is_ready));
        is_ready
    }

    /// What is answered while it is not ready.
    pub(in crate::http) fn not_ready(&self) -> Problem {
        let detail = format!("{} is not ready; repeat the request after a while", self.who);
        Problem::new(Slug::NotReady, detail).retry_after(RETRY_AFTER)
    }

    /// Waits until the function takes requests, for at most `--queue-timeout`.
    pub(in crate::http) async fn wait(&self, server: &Server) -> Result<(), Problem> {
        if *self.stand.borrow() == Stand::Ready {
            return Ok(());
        }
        let started = Instant::now();
        let patience = server.queue_timeout.and_then(|patience| started.checked_add(patience));
        let settled = tokio::select! {
            settled = self.settled(patience) => settled,
            () = closing(server.phase.subscribe()) => return Err(probe::draining()),
        };
        if let Err(error) = settled {
            let problem = Problem::new(Slug::UpstreamFailed, error.to_string());
            let report = Report::of_exchange(started.elapsed());
            server.count(&Outcome::Failed { report, failure: Failure::Unanswered(error) });
            return Err(problem);
        }
        let stand = self.stand.borrow().clone();
        match stand {
            Stand::Ready => Ok(()),
            Stand::Over => Err(probe::draining()),
            Stand::Starting | Stand::NotStarted(_) => {
                server.totals.count_turned_away();
                Err(self.not_ready())
            }
        }
    }
}

/// A port that nobody listens on at this moment, out of the range that the kernel gives out by itself to whoever asks
/// for any (ip(7), `ip_local_port_range`): there somebody else is likely to get it before the function does.
fn free_port() -> io::Result<u16> {
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 22_768;
    for _ in 0..TRIES {
        let [high, low, ..] = *ids::random().as_bytes();
        let port = FIRST + u16::from_be_bytes([high, low]) % COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// What stops it has ended, in whatever way.
struct FarewellOnDrop(Arc<Standing>);

impl Drop for FarewellOnDrop {
    fn drop(&mut self) {
        if let Some(resident) = &self.0.resident {
            resident.end(false);
        }
        self.0.farewell.send_replace(Farewell::Over);
    }
}

/// The thread has ended, in whatever way.
struct OverOnDrop(Arc<Standing>);

impl Drop for OverOnDrop {
    fn drop(&mut self) {
        self.0.turn(Stand::Over);
    }
}
