//! The limit: loops that do nothing but start the script and await it.
//!
//! A loop calls posix_spawn(3) with an argument list and an environment made beforehand, no file actions and no
//! attributes, then waitpid(2), then unlinkat(2) of the one file the script wrote, so that the script makes a new one
//! each time as it does for bandog. The input file is there from the beginning. Nothing else is done: no directories,
//! no pipe, no process group, no reading of the result.

use std::{
    ffi::{CString, OsString},
    fs,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Path, PathBuf},
    ptr,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use crate::load::{Load, Window, quantile};

/// How the limit is called in the report.
pub const NAME: &str = "bare posix_spawn";

/// The program, arguments and environment that each process of the script starts with.
pub struct Bare {
    arguments: Vec<CString>,
    environment: Vec<CString>,
    output: PathBuf,
}

/// The result of the loops in one window.
pub struct Outcome {
    /// Processes a second, all loops together.
    pub rate: f64,
    /// How long each of them took, sorted.
    times: Vec<Duration>,
}

impl Outcome {
    /// The time that `part` (0 to 1) of the processes did not exceed, in µs.
    pub fn quantile(&self, part: f64) -> f64 {
        quantile(&self.times, part)
    }
}

/// The environment that bandog gives a function, printed by a function.
///
/// `load` must be a request like those that are measured, to a listener whose function is what [`tell`] made.
pub fn environment(load: &Load, told: &Path) -> anyhow::Result<Vec<OsString>> {
    let answer = load.once()?;
    ensure!(answer.status == 200, "a function that tells its environment was answered with {}", answer.status);
    let told = fs::read(told)?;
    let variables = told.split(|byte| *byte == 0).filter(|variable| !variable.is_empty());
    Ok(variables.map(|variable| OsString::from_vec(variable.to_vec())).collect())
}

/// The value of this variable, a path.
pub fn value(environment: &[OsString], name: &str) -> anyhow::Result<PathBuf> {
    let prefix = format!("{name}=");
    environment
        .iter()
        .find_map(|variable| variable.as_bytes().strip_prefix(prefix.as_bytes()))
        .map(|value| PathBuf::from(OsString::from_vec(value.to_vec())))
        .with_context(|| format!("bandog gave its function no {name}"))
}

/// A script that writes its shell's environment, as it was at the start, to this file.
pub fn tell(told: &Path) -> String {
    format!("cat /proc/$$/environ > {}", told.display())
}

impl Bare {
    /// Prepares the directories that this environment names, and the input file with `input` in it.
    pub fn new(arguments: &[&str], environment: Vec<OsString>, input: &[u8], output: &str) -> anyhow::Result<Self> {
        fs::create_dir_all(value(&environment, "TMP_INPUT_DIR")?)?;
        fs::create_dir_all(value(&environment, "TMP_OUTPUT_DIR")?)?;
        fs::write(value(&environment, "INPUT_FILE_PATH")?, input)?;
        let output = value(&environment, "TMP_OUTPUT_DIR")?.join(output);
        let arguments = arguments.iter().map(|argument| CString::new(*argument)).collect::<Result<_, _>>()?;
        let environment =
            environment.into_iter().map(|variable| CString::new(variable.into_vec())).collect::<Result<_, _>>()?;
        let bare = Self { arguments, environment, output };
        bare.once(&bare.pointers())?;
        ensure!(fs::read(&bare.output).is_err(), "the output file is removed each time");
        Ok(bare)
    }

    /// Starts the script, awaits it, removes what it wrote.
    fn once(&self, (arguments, environment): &(Vec<*mut i8>, Vec<*mut i8>)) -> anyhow::Result<()> {
        let mut id = 0;
        // SAFETY: both lists end with a null pointer and point into strings that `self` owns.
        let error = unsafe {
            let (arguments, environment) = (arguments.as_ptr(), environment.as_ptr());
            libc::posix_spawn(&raw mut id, self.arguments[0].as_ptr(), ptr::null(), ptr::null(), arguments, environment)
        };
        ensure!(error == 0, "posix_spawn: {}", std::io::Error::from_raw_os_error(error));
        let mut status = 0;
        // SAFETY: `status` outlives the call.
        let ended = unsafe { libc::waitpid(id, &raw mut status, 0) };
        ensure!(ended == id && status == 0, "the script ended with status {status:#x}");
        rustix::fs::unlink(&self.output).with_context(|| format!("no output {}", self.output.display()))
    }

    fn pointers(&self) -> (Vec<*mut i8>, Vec<*mut i8>) {
        let list = |strings: &[CString]| {
            strings.iter().map(|string| string.as_ptr().cast_mut()).chain([ptr::null_mut()]).collect()
        };
        (list(&self.arguments), list(&self.environment))
    }
}

/// A loop for each of these, all at once.
pub fn run(loops: &[Bare], window: Window) -> anyhow::Result<Outcome> {
    let barrier = Barrier::new(loops.len());
    let times = thread::scope(|scope| {
        let turn = |bare: &Bare| {
            let pointers = bare.pointers();
            let mut times = Vec::new();
            barrier.wait();
            let from = Instant::now() + window.warm;
            let until = from + window.span;
            let mut began = Instant::now();
            loop {
                bare.once(&pointers)?;
                let now = Instant::now();
                if now >= until {
                    return anyhow::Ok(times);
                }
                if now >= from {
                    times.push(now - began);
                }
                began = now;
            }
        };
        let threads: Vec<_> = loops.iter().map(|bare| scope.spawn(move || turn(bare))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect::<anyhow::Result<Vec<_>>>()
    })?;
    let mut times: Vec<Duration> = times.into_iter().flatten().collect();
    #[expect(clippy::cast_precision_loss, reason = "a count of processes is far below 2^52")]
    let rate = times.len() as f64 / window.span.as_secs_f64();
    times.sort();
    Ok(Outcome { rate, times })
}

/// The script of the small case, written to a file in `home`.
pub fn script(home: &Path) -> anyhow::Result<PathBuf> {
    let path = home.join("script.sh");
    fs::write(&path, "cat \"$INPUT_FILE_PATH\" > \"$TMP_OUTPUT_DIR/out.bin\"\n")?;
    Ok(path)
}
