//! The configuration → the adapters of the platforms.

use std::sync::Arc;

use super::{Config, Mode};
use crate::{
    input::InputFilter,
    platform::{openfaas::wording::ResponseSource, oscar},
    reply::AnswerStyle,
    request::HeaderVariables,
};

impl Config {
    /// The wording of the server's responses; `None` for bandog's own.
    #[must_use]
    pub fn answer_style(&self) -> Option<Arc<dyn AnswerStyle>> {
        let watchdog = self.replaced.watchdog.as_ref()?;
        Some(Arc::new(watchdog.wording(self.response_source(), self.limits.max_inflight, self.replaced.compat)))
    }

    /// The wording of the response of `bandog run`; `None` for bandog's own.
    #[must_use]
    pub fn run_style(&self) -> Option<Arc<dyn AnswerStyle>> {
        self.replaced.supervisor.as_ref()?;
        Some(Arc::new(oscar::wording(self.response_source(), self.replaced.compat)?))
    }

    /// The variables that a request becomes.
    #[must_use]
    pub fn header_variables(&self) -> HeaderVariables {
        let watchdog = self.replaced.watchdog.as_ref();
        watchdog.map_or_else(HeaderVariables::default, |watchdog| watchdog.header_variables(self.replaced.compat))
    }

    /// Whether requests of every method invoke the function.
    #[must_use]
    pub fn takes_any_method(&self) -> bool {
        let watchdog = self.replaced.watchdog.as_ref();
        watchdog.is_some_and(|watchdog| watchdog.takes_any_method(self.response_source()))
    }

    /// Opens the events of a platform; `None` where a body is only a body.
    #[must_use]
    pub fn input_filter(&self) -> Option<Arc<dyn InputFilter>> {
        let supervisor = self.replaced.supervisor.as_ref()?;
        let mut filter = supervisor.filter.clone();
        // A server gets the body itself, and no object in its place.
        filter.has_store &= self.mode != Mode::Http;
        Some(Arc::new(filter))
    }

    /// Where responses come from.
    #[must_use]
    pub fn response_source(&self) -> ResponseSource {
        match self.mode {
            Mode::Files => ResponseSource::OutputFiles,
            Mode::Stdio => ResponseSource::Stdout,
            Mode::Streaming => ResponseSource::LiveStdout,
            Mode::Http => ResponseSource::Upstream,
            Mode::Static => ResponseSource::StaticFiles,
        }
    }
}
