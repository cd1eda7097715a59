//! A run as a call of the service, which counts it, and may refuse it.

use std::{fs, path::PathBuf};

use tokio::sync::watch;

use super::*;
use crate::{
    cli::run::{Event, imitated},
    config::{Paths, Sources},
    input::BodyError,
    process::{Cancel, WakeFd},
    service::Context,
};

/// An input of no bytes.
struct Nothing;

impl BodySource for Nothing {
    fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        Ok(None)
    }
}

/// A run of a script with `--output`, and its service.
struct Prepared {
    output: PathBuf,
    runner: Arc<LocalRunner>,
    service: Service,
    context: Arc<Context>,
    call: Call,
    dir: tempfile::TempDir,
}

impl Prepared {
    fn new(script: &str) -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let at = |name: &str| dir.path().join(name);
        let paths = Paths { config: at("config"), script: at("script"), actions: Vec::new(), secrets: at("secrets") };
        let mut sources = Sources { paths, ..Sources::default() };
        sources.typed.command = ["/bin/sh", "-c", script].map(Into::into).into();
        sources.typed.values.insert("workspace", dir.path().into());
        let config = sources.resolve().into_config().expect("no mistake");
        let output = at("result");
        let (event, headers, texts) = (Event::Nowhere, Vec::new(), Vec::new());
        let io = RunArgs { event, output: Some(output.clone()), headers, action: None, texts };
        let stop_signal = Arc::new(WakeFd::new().expect("a descriptor"));
        let place = ResultPlace::new(io.output.clone(), false, &stop_signal).expect("a descriptor");
        let runner = Arc::new(LocalRunner {
            accept: Accept::default(),
            hides_failure: false,
            end: Mutex::new(LocalEnd { place, code: None }),
        });
        let function = function(&config, &io, false).expect("a function");
        let service = compose::service_of(&config, function, Arc::clone(&runner) as Arc<dyn Runner>);
        let service = service.expect("a service");
        let context = Arc::clone(service.context());
        let call = Call { id: "run".to_owned(), head: imitated::head(imitated::headers(&io)), action: None };
        Self { output, runner, service, context, call, dir }
    }

    /// The exit code, the result, and the calls that the service has counted: done, failed, and turned away.
    fn carry_out(self, change: impl FnOnce(&Service)) -> (ExitCode, Option<String>, [u64; 3]) {
        change(&self.service);
        let (_tell, told) = watch::channel(Stop::No);
        let stop = LocalStop { told, cancel: Cancel::new() };
        let code = carry_out(self.service, &self.runner, self.call, Box::new(Nothing), stop);
        let Context { metrics, lifecycle, workspaces, .. } = &*self.context;
        assert_eq!((lifecycle.in_flight().count(), workspaces.open_workspaces()), (0, 0));
        let totals = serde_json::to_value(metrics.totals.snapshot()).expect("numbers");
        let counted = ["done", "failed", "turned_away"].map(|name| totals[name].as_u64().expect("a number"));
        let result = fs::read_to_string(&self.output).ok();
        drop(self.dir);
        (code, result, counted)
    }
}

/// As text: exit codes cannot be compared.
fn shown(code: ExitCode) -> String {
    format!("{code:?}")
}

#[test]
fn a_run_is_one_call_that_the_service_counts() {
    let (code, result, counted) = Prepared::new("echo fine > \"$TMP_OUTPUT_DIR/out\"").carry_out(|_| {});
    assert_eq!((shown(code), result.as_deref()), (shown(ExitCode::SUCCESS), Some("fine\n")));
    assert_eq!(counted, [1, 0, 0]);
    let (code, result, counted) = Prepared::new("exit 3").carry_out(|_| {});
    assert_eq!((shown(code), result), (shown(3.into()), None));
    assert_eq!(counted, [0, 1, 0]);
}

#[test]
fn the_service_runs_nothing_that_it_has_not_admitted() {
    let (code, result, counted) = Prepared::new("echo fine").carry_out(|service| service.close(false));
    assert_eq!((shown(code), result), (shown(STOPPED.into()), None));
    assert_eq!(counted, [0, 0, 0]);
}
