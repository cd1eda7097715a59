//! OSCAR's faas-supervisor, started once for each request as its watchdog does it: the event on stdin, the answer on
//! stdout.
//!
//! The driver starts it itself, without the watchdog and without HTTP, which is in the supervisor's favour; so is that
//! it is a plain Python program here and not the self-extracting one of OSCAR's images.

use std::{
    io::{Read as _, Write as _},
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use rustix::{
    event::{PollFd, PollFlags, poll},
    time::Timespec,
};

use super::kit::Kit;
use crate::{child::Child, server::ENVIRONMENT, setting::Setting, small::ANSWER};

/// The small case's script in base64, as OSCAR hands it over in `SCRIPT`:
/// `cat "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/out.bin"`.
const SCRIPT: &str = "Y2F0ICIkSU5QVVRfRklMRV9QQVRIIiA+ICIkVE1QX09VVFBVVF9ESVIvb3V0LmJpbiIK";

/// Rounds it takes part in: it is slow, and its ratio is far from its goal.
const ROUNDS: usize = 3;

/// From so many clients on a turn takes so long that it has only one.
const MANY: usize = 64;

/// How long one answer may take, beside as many others as there are clients.
const PATIENCE: Duration = Duration::from_mins(2);

/// One client asks this often in a turn.
const REPEATED: usize = 3;

/// How it is called in the report.
pub const NAME: &str = "faas-supervisor";

pub struct Supervisor {
    python: PathBuf,
    home: PathBuf,
}

impl Supervisor {
    pub fn find(kit: &Kit) -> anyhow::Result<Self> {
        let found = Self { python: kit.python()?, home: kit.home.clone() };
        found.once()?;
        Ok(found)
    }

    /// Whether it has a turn in this round. The first one would warm nothing that the check did not.
    pub fn has_a_turn(setting: &Setting, round: usize, clients: usize) -> bool {
        if clients >= MANY { round == 1 && !setting.short } else { (1..=ROUNDS).contains(&round) }
    }

    /// Answers a second, of so many at once.
    pub fn run(&self, clients: usize) -> anyhow::Result<f64> {
        let repeated = if clients == 1 { REPEATED } else { 1 };
        let began = Instant::now();
        thread::scope(|scope| {
            let ask = || (0..repeated).try_for_each(|_| self.once());
            let clients: Vec<_> = (0..clients).map(|_| scope.spawn(ask)).collect();
            clients.into_iter().try_for_each(|client| client.join().expect("no panic"))
        })?;
        #[expect(clippy::cast_precision_loss, reason = "a count of requests is far below 2^52")]
        let asked = (clients * repeated) as f64;
        Ok(asked / began.elapsed().as_secs_f64())
    }

    fn once(&self) -> anyhow::Result<()> {
        let mut command = Command::new(&self.python);
        command.args(["-m", "faassupervisor.supervisor"]).env_clear().envs(ENVIRONMENT).env("SCRIPT", SCRIPT);
        command.env("TMPDIR", &self.home).current_dir(&self.home);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = Child::start(&mut command)?;
        let process = child.process();
        // The event: base64 of the six bytes, which is what the answer is made of, too. Closed at once.
        process.stdin.take().context("a pipe to it")?.write_all(ANSWER)?;
        let mut output = process.stdout.take().context("a pipe from it")?;
        // It writes once, at its end.
        let patience = Timespec { tv_sec: PATIENCE.as_secs().cast_signed(), tv_nsec: 0 };
        let ready = poll(&mut [PollFd::new(&output, PollFlags::IN)], Some(&patience))?;
        ensure!(ready == 1, "no answer from faas-supervisor in {PATIENCE:?}");
        let mut answer = Vec::new();
        output.read_to_end(&mut answer)?;
        let status = process.wait()?;
        ensure!(status.success(), "faas-supervisor ended with {status}");
        ensure!(
            answer.trim_ascii() == ANSWER,
            "faas-supervisor answered {:?}, not {:?}",
            String::from_utf8_lossy(&answer),
            String::from_utf8_lossy(ANSWER)
        );
        Ok(())
    }
}
