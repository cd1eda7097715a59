//! Counters and gauges, in Prometheus' text format.

mod own_process;
mod scraped;

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus::{
    Counter, Encoder as _, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    TextEncoder,
};

use super::settings::MetricLabels;
use crate::{
    invocation::Outcome,
    process::{Exit, Usage, signal_name},
    reply::ErrorCode,
};

/// Upper bounds of the duration buckets, in seconds: 5 ms to 10 min.
const BUCKETS: [f64; 17] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 180.0, 300.0, 600.0];

/// Upper bounds of the buckets of memory, in bytes: 4 MiB to 64 GiB.
const MEMORY_BUCKETS: [f64; 15] = {
    let (mut bounds, mut index, mut bound) = ([0.0; 15], 0, 4.0 * 1024.0 * 1024.0);
    while index < bounds.len() {
        bounds[index] = bound;
        bound *= 2.0;
        index += 1;
    }
    bounds
};

/// The `Content-Type` of the text format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The label of all methods but the well-known ones.
pub const OTHER: &str = "other";

/// Everything that is counted. Probes and the admin pages do not count as requests.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    labels: MetricLabels,
    /// Answers sent, by status code and method.
    requests: IntCounterVec,
    /// From the head of a request to the last byte of its answer, in seconds.
    duration: HistogramVec,
    /// Requests that are being answered, queued ones included.
    pub in_flight: IntGauge,
    /// Requests that wait for a permit; read when asked.
    queued: IntGauge,
    /// How functions ended: an exit code, or a signal's name, or `none` where nothing was started.
    exits: IntCounterVec,
    /// How invocations ended: `done`, or the word of `X-Bandog-Error`.
    outcomes: IntCounterVec,
    /// CPU time of functions, in user and in kernel mode, in seconds.
    cpu: Counter,
    /// The most memory that a function had resident at once, in bytes.
    peak_memory: Histogram,
    /// Bytes of request bodies, as sent.
    pub(super) received: IntCounter,
    /// Bytes of response bodies.
    pub sent: IntCounter,
    /// Workspaces that exist; read when asked.
    workspaces: IntGauge,
    /// The same ends, as the status page sums them up.
    pub totals: Totals,
}

/// How calls ended, since the start.
#[derive(Debug, Default)]
pub struct Totals {
    done: AtomicU64,
    failed: AtomicU64,
    timed_out: AtomicU64,
    cancelled: AtomicU64,
    refused: AtomicU64,
    turned_away: AtomicU64,
}

/// The totals at one moment.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct TotalsSnapshot {
    done: u64,
    failed: u64,
    timed_out: u64,
    cancelled: u64,
    bad_input: u64,
    turned_away: u64,
}

impl Totals {
    /// The totals at this moment.
    #[must_use]
    pub fn snapshot(&self) -> TotalsSnapshot {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TotalsSnapshot {
            done: count(&self.done),
            failed: count(&self.failed),
            timed_out: count(&self.timed_out),
            cancelled: count(&self.cancelled),
            bad_input: count(&self.refused),
            turned_away: count(&self.turned_away),
        }
    }

    fn count(&self, outcome: &Outcome) {
        let counter = match outcome {
            _ if outcome.is_success() => &self.done,
            Outcome::Done { .. } | Outcome::Failed { .. } | Outcome::Settled(_) | Outcome::Passed => &self.failed,
            Outcome::TimedOut { .. } => &self.timed_out,
            Outcome::Cancelled { .. } => &self.cancelled,
            Outcome::Refused(_) => &self.refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A body that did not arrive.
    pub(super) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// A call that got no permit.
    pub(super) fn count_turned_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// All at zero.
    ///
    /// # Errors
    /// A name is used twice, which is a mistake in this file.
    pub(super) fn new(metric_labels: MetricLabels) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let counter = |name: &str, help: &str| -> Result<IntCounter, prometheus::Error> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let counters = |name: &str, help: &str, labels: &[&str]| -> Result<IntCounterVec, prometheus::Error> {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok(counters)
        };
        let requests = counters("http_requests_total", "Requests answered.", &["code", "method"])?;
        let labels: &[&str] = match metric_labels {
            MetricLabels::Plain => &[],
            MetricLabels::Detailed => &["code", "method"],
        };
        let duration = HistogramVec::new(
            HistogramOpts::new(
                "http_request_duration_seconds",
                "From the head of a request to the last byte of its answer.",
            )
            .buckets(BUCKETS.to_vec()),
            labels,
        )?;
        registry.register(Box::new(duration.clone()))?;
        if metric_labels == MetricLabels::Plain {
            // There from the start.
            duration.with_label_values::<&str>(&[]);
        }
        let version = Opts::new("bandog_build_info", "1; the version is a label.");
        let version = IntGauge::with_opts(version.const_label("version", env!("CARGO_PKG_VERSION")))?;
        version.set(1);
        registry.register(Box::new(version))?;
        let in_flight = gauge("http_requests_in_flight", "Requests in progress, including those in the queue.")?;
        let queued = gauge("bandog_queue_length", "Requests in the queue.")?;
        let exits = counters(
            "bandog_function_exits_total",
            "Ends of functions, by exit code or the signal's name; none if nothing was started.",
            &["exit"],
        )?;
        let outcomes = counters(
            "bandog_function_outcomes_total",
            "Ends of invocations: done, or the word of X-Bandog-Error.",
            &["outcome"],
        )?;
        let cpu =
            Counter::new("bandog_function_cpu_seconds_total", "CPU time of functions that have ended, in seconds.")?;
        registry.register(Box::new(cpu.clone()))?;
        let peak_memory = Histogram::with_opts(
            HistogramOpts::new(
                "bandog_function_peak_memory_bytes",
                "The most memory that a function had resident at once, by invocation.",
            )
            .buckets(MEMORY_BUCKETS.to_vec()),
        )?;
        registry.register(Box::new(peak_memory.clone()))?;
        let received = counter("bandog_received_bytes_total", "Bytes of request bodies, as sent.")?;
        let sent = counter("bandog_sent_bytes_total", "Bytes of the bodies of answers.")?;
        let workspaces = gauge("bandog_workspaces_open", "Workspaces that exist.")?;
        Ok(Self {
            registry,
            labels: metric_labels,
            requests,
            duration,
            in_flight,
            queued,
            exits,
            outcomes,
            cpu,
            peak_memory,
            received,
            sent,
            workspaces,
            totals: Totals::default(),
        })
    }

    /// Counts the end of a call.
    pub(super) fn count(&self, outcome: &Outcome) {
        self.totals.count(outcome);
        let word = ErrorCode::of_outcome(outcome).map_or("done", ErrorCode::as_str);
        self.outcomes.with_label_values(&[word]).inc();
        if let Some(usage) = outcome.report().and_then(|report| report.usage) {
            self.count_usage(usage);
        }
        let exit = match outcome {
            Outcome::Done { report, .. } | Outcome::Failed { report, .. } | Outcome::TimedOut { report, .. } => {
                report.exit
            }
            Outcome::Cancelled { report, .. } => report.as_ref().and_then(|report| report.exit),
            Outcome::Refused(_) | Outcome::Settled(_) => None,
            // The process goes on.
            Outcome::Passed => return,
        };
        match exit {
            None => self.exits.with_label_values(&["none"]).inc(),
            Some(exit) => self.count_exit(exit),
        }
    }

    /// Counts a call that a fault of bandog's own has ended.
    pub(super) fn count_panic(&self) {
        self.totals.failed.fetch_add(1, Ordering::Relaxed);
        self.outcomes.with_label_values(&[ErrorCode::Internal.as_str()]).inc();
        self.exits.with_label_values(&["none"]).inc();
    }

    /// Counts what a function has used.
    pub(super) fn count_usage(&self, usage: Usage) {
        self.cpu.inc_by(usage.cpu_time.as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "no memory is so large that it matters")]
        self.peak_memory.observe(usage.peak_memory as f64);
    }

    /// Counts the end of a process.
    pub(super) fn count_exit(&self, exit: Exit) {
        match exit {
            Exit::Code(code) => self.exits.with_label_values(&[code.to_string().as_str()]).inc(),
            Exit::Signal(signal) => self.exits.with_label_values(&[signal_name(signal)]).inc(),
        }
    }

    /// Counts a request that has been answered, after so many seconds.
    pub fn answered(&self, status: u16, method: &str, seconds: f64) {
        let code = status.to_string();
        if self.labels == MetricLabels::Plain {
            self.requests.with_label_values(&[code.as_str(), method]).inc();
            self.duration.with_label_values::<&str>(&[]).observe(seconds);
            return;
        }
        let method = if method == OTHER { "unknown".to_owned() } else { method.to_ascii_lowercase() };
        self.requests.with_label_values(&[&code, &method]).inc();
        self.duration.with_label_values(&[&code, &method]).observe(seconds);
    }

    /// The page, with what the service says of itself behind it.
    #[must_use]
    pub fn render(&self, queued: usize, workspaces: usize, scraped: Option<&str>) -> Vec<u8> {
        self.queued.set(i64::try_from(queued).unwrap_or(i64::MAX));
        self.workspaces.set(i64::try_from(workspaces).unwrap_or(i64::MAX));
        let mut page = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut page) {
            tracing::error!("cannot write the metrics: {error}");
        }
        // A service that has such metrics is the process that they are expected to be about.
        if !scraped.is_some_and(scraped::has_process) {
            page.extend_from_slice(own_process::render().as_bytes());
        }
        for family in scraped.map(|theirs| scraped::append(&mut page, theirs)).into_iter().flatten() {
            tracing::warn!("the service's own metrics {family} are left out: bandog has some of that name");
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_with_metrics_of_its_process_keeps_them() {
        let metrics = Metrics::new(MetricLabels::Plain).expect("names are unique");
        let count = |scraped| {
            let page = String::from_utf8(metrics.render(0, 0, scraped)).expect("text");
            page.lines().filter(|line| line.starts_with("process_")).count()
        };
        assert!(count(None) >= 8 && count(Some("own 1\n")) >= 8);
        assert_eq!(count(Some("own 1\nprocess_threads 5\n")), 1);
    }

    #[test]
    fn every_promised_name_is_on_the_page() {
        let metrics = Metrics::new(MetricLabels::Plain).expect("names are unique");
        metrics.answered(200, "POST", 0.1);
        metrics.exits.with_label_values(&["0"]).inc();
        metrics.outcomes.with_label_values(&["done"]).inc();
        let page = String::from_utf8(metrics.render(3, 2, None)).expect("text");
        for line in [
            "http_requests_total{code=\"200\",method=\"POST\"} 1",
            "http_request_duration_seconds_bucket{le=\"0.005\"} 0",
            "http_request_duration_seconds_bucket{le=\"600\"} 1",
            concat!("bandog_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            "http_requests_in_flight 0",
            "bandog_queue_length 3",
            "bandog_workspaces_open 2",
            "bandog_function_exits_total{exit=\"0\"} 1",
            "bandog_function_outcomes_total{outcome=\"done\"} 1",
            "bandog_function_cpu_seconds_total 0",
            "bandog_function_peak_memory_bytes_bucket{le=\"4194304\"} 0",
            "bandog_function_peak_memory_bytes_bucket{le=\"68719476736\"} 0",
            "bandog_received_bytes_total 0",
            "bandog_sent_bytes_total 0",
        ] {
            assert!(page.lines().any(|have| have == line), "{line:?} is missing in\n{page}");
        }
    }
}
