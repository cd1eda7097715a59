//! A request's body on its way to the function, while the answer may be coming already.

use tokio::sync::oneshot::{self, error::TryRecvError};

use crate::{
    body::{BodyIntake, RequestBody},
    input,
};

/// The outcome of sending a body.
#[derive(Debug)]
pub(crate) struct Uploading {
    /// `None` when there is nothing more to say; the sender is dropped when all is well.
    told: Option<oneshot::Receiver<input::InputError>>,
    fault: Option<input::InputError>,
}

impl Uploading {
    /// Begins with what has come; the rest is sent as it comes and as it is taken, up to `max_body` bytes in all (0 for
    /// no limit).
    pub(crate) fn begin(mut input: BodyIntake, max_body: u64) -> (RequestBody, Self) {
        let length = input.length();
        let (body, upload) = input.hand_over();
        let Some(upload) = upload else { return (body, Self { told: None, fault: None }) };
        let rest = input.into_rest(max_body, body.arrived());
        let (tell, told) = oneshot::channel();
        tokio::spawn(async move {
            if let Err(error) = rest.feed(upload).await {
                let _ = tell.send(error);
            }
        });
        (body.announced(length), Self { told: Some(told), fault: None })
    }

    /// Ends when the body fails to come; never if it comes.
    pub(crate) async fn fails(&mut self) -> input::InputError {
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
    pub(crate) fn is_done(&mut self) -> bool {
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
    pub(crate) fn fault(&mut self) -> Option<input::InputError> {
        self.is_done();
        self.fault.take()
    }
}
