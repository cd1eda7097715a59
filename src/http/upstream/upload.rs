//! A request's body on its way to the function, while the answer may be coming already.

use tokio::sync::oneshot::{self, error::TryRecvError};

use crate::{
    http::{arrival::Arrival, bridge::Incoming},
    intake,
};

/// What becomes of a body.
#[derive(Debug)]
pub(super) struct Uploading {
    /// `None` when there is nothing more to say; the sender is dropped when all is well.
    told: Option<oneshot::Receiver<intake::Error>>,
    fault: Option<intake::Error>,
}

impl Uploading {
    /// Begins with what has come; the rest is sent as it comes and as it is taken, up to `max_body` bytes in all (0 for
    /// no limit).
    pub(super) fn begin(mut arrival: Arrival<'_>, max_body: u64) -> (Incoming, Self) {
        let length = arrival.length();
        let (incoming, upload) = arrival.hand_over();
        let Some(upload) = upload else { return (incoming, Self { told: None, fault: None }) };
        let rest = arrival.into_rest(max_body, incoming.came());
        let (tell, told) = oneshot::channel();
        tokio::spawn(async move {
            if let Err(error) = rest.feed(upload).await {
                let _ = tell.send(error);
            }
        });
        (incoming.announced(length), Self { told: Some(told), fault: None })
    }

    /// Of a body that nobody sends over a connection.
    pub(super) fn none() -> Self {
        Self { told: None, fault: None }
    }

    /// Ends when the body fails to come; never if it comes.
    pub(super) async fn fails(&mut self) -> intake::Error {
        if let Some(told) = &mut self.told {
            let said = told.await;
            self.told = None;
            if let Ok(error) = said {
                return error;
            }
        }
        std::future::pending().await
    }

    /// Whether nothing more of it is to come.
    pub(super) fn is_done(&mut self) -> bool {
        match self.told.as_mut().map(oneshot::Receiver::try_recv) {
            None => {}
            Some(Err(TryRecvError::Empty)) => return false,
            Some(Err(TryRecvError::Closed)) => self.told = None,
            Some(Ok(error)) => {
                self.told = None;
                self.fault = Some(error);
            }
        }
        self.fault.is_none()
    }

    /// Why it did not come, if it has failed to: that is then the cause of whatever else went wrong.
    pub(super) fn fault(&mut self) -> Option<intake::Error> {
        self.is_done();
        self.fault.take()
    }
}
