//! A server that answers before it has read the whole input: 401, 413, 429.
//!
//! It says so and closes the connection, so that writing fails while the answer waits to be read. The client knows
//! nothing of this; so here, between it and the socket, a failed write sets [`Stop`], and what follows is dropped
//! until the client is done "sending" and reads.

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

/// Whether there is no use in sending more.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Puts itself around the transport of each connection.
#[derive(Debug)]
pub(super) struct EarlyAnswer(Stop);

impl EarlyAnswer {
    pub(super) fn new(stop: &Stop) -> Self {
        Self(stop.clone())
    }
}

impl<In: Transport> Connector<In> for EarlyAnswer {
    type Out = Watched<In>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Watched<In>>, Error> {
        Ok(chained.map(|inner| Watched { inner, stop: self.0.clone() }))
    }
}

/// A transport that goes on after its writing side has failed.
#[derive(Debug)]
pub(super) struct Watched<In> {
    inner: In,
    stop: Stop,
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
            // For the client a reset is a way to end a body without a length. It is not: something was lost.
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
