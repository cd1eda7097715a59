//! Servers that respond before they have read the whole input: with 401, 413 or 429.
//!
//! Such a server closes the connection, so that writing fails while its response waits to be read. The HTTP client does
//! not handle this. Here, between it and the socket, a failed write sets [`StopFlag`], and the rest of the input is
//! dropped, until the client has "sent" it and reads the response.

use std::{
    io::{self, ErrorKind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use ureq::{
    Error,
    unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport},
};

/// Set once the server reads no more.
#[derive(Debug, Clone, Default)]
pub(super) struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Wraps the transport of each connection.
#[derive(Debug)]
pub(super) struct EarlyResponse(StopFlag);

impl EarlyResponse {
    pub(super) fn new(stop: &StopFlag) -> Self {
        Self(stop.clone())
    }
}

impl<In: Transport> Connector<In> for EarlyResponse {
    type Out = Watched<In>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Watched<In>>, Error> {
        Ok(chained.map(|inner| Watched { inner, stop: self.0.clone() }))
    }
}

/// A transport that goes on after writing has failed.
#[derive(Debug)]
pub(super) struct Watched<In> {
    inner: In,
    stop: StopFlag,
}

impl<In: Transport> Transport for Watched<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if self.stop.is_set() {
            return Ok(());
        }
        match self.inner.transmit_output(amount, timeout) {
            Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                self.stop.0.store(true, Ordering::Relaxed);
                Ok(())
            }
            result => result,
        }
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.inner.await_input(timeout).map_err(|error| match error {
            // The client takes a reset for the end of a body without a length, but data has been lost.
            Error::Io(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted) => {
                Error::Io(io::Error::other("the connection was reset"))
            }
            error => error,
        })
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
