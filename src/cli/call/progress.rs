//! A progress bar on a terminal, for transfers that take a while. Without the feature `progress` there is none.

#[cfg(feature = "progress")]
pub(super) use self::bar::Progress;
#[cfg(not(feature = "progress"))]
pub(super) use self::none::Silent as Progress;

#[cfg(feature = "progress")]
mod bar {
    use std::{
        io::{self, IsTerminal as _},
        time::{Duration, Instant},
    };

    use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

    /// A transfer with more bytes shows a bar.
    const LONG: u64 = 1024 * 1024;

    /// A transfer of unknown length shows a bar after this time.
    const SOON: Duration = Duration::from_secs(1);

    /// The progress of a transfer.
    pub(in super::super) struct Progress {
        what: &'static str,
        total: Option<u64>,
        done: u64,
        start: Instant,
        wanted: bool,
        bar: Option<ProgressBar>,
    }

    impl Progress {
        pub(in super::super) fn new(what: &'static str, total: Option<u64>) -> Self {
            let wanted = io::stderr().is_terminal() && total.is_none_or(|total| total > LONG);
            Self { what, total, done: 0, start: Instant::now(), wanted, bar: None }
        }

        pub(in super::super) fn add(&mut self, bytes: usize) {
            self.done += bytes as u64;
            if self.wanted && self.bar.is_none() && (self.total.is_some() || self.start.elapsed() > SOON) {
                self.bar = Some(bar(self.what, self.total));
            }
            if let Some(bar) = &self.bar {
                bar.set_position(self.done);
            }
        }

        /// Removes the bar.
        pub(in super::super) fn end(&mut self) {
            self.wanted = false;
            if let Some(bar) = self.bar.take() {
                bar.finish_and_clear();
            }
        }
    }

    impl Drop for Progress {
        fn drop(&mut self) {
            self.end();
        }
    }

    fn bar(what: &'static str, total: Option<u64>) -> ProgressBar {
        let template = match total {
            Some(_) => "{msg} [{bar:30}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
            None => "{msg} {spinner} {bytes}, {bytes_per_sec}",
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr()).with_style(style).with_message(what)
    }
}

#[cfg(not(feature = "progress"))]
mod none {
    /// The progress of a transfer, which is not shown.
    pub(in super::super) struct Silent;

    #[expect(clippy::unused_self, reason = "the methods of the one that shows it")]
    impl Silent {
        pub(in super::super) fn new(_: &'static str, _: Option<u64>) -> Self {
            Self
        }

        pub(in super::super) fn add(&mut self, _: usize) {}

        pub(in super::super) fn end(&mut self) {}
    }
}
