//! The limits on the size, the time and the number of requests.

use std::time::Duration;

use super::{
    reader::Reader,
    report::{Mistake, Origin},
    setting,
};
use crate::process;

/// The limits on requests and invocations.
#[derive(Debug, Clone)]
pub struct Limits {
    /// `--max-body`: bytes of a body, as sent and as decompressed; 0 for no limit.
    pub max_body: u64,
    /// `--exec-timeout`; `None` for no limit.
    pub exec_timeout: Option<Duration>,
    /// `--retries`: how often an action is run again after it has asked for that.
    pub retries: usize,
    /// `--kill-grace`: from SIGTERM to SIGKILL.
    pub kill_grace: Duration,
    /// `--read-timeout`: for a whole request; `None` for no limit.
    pub read_timeout: Option<Duration>,
    /// `--idle-timeout`: how long a connection without a request is kept; `None` for no limit.
    pub idle_timeout: Option<Duration>,
    /// `--send-timeout`: how long a client may read nothing of its response; `None` for no limit.
    pub send_timeout: Option<Duration>,
    /// `--max-inflight`: the most invocations that run at once; 0 for no limit.
    pub max_inflight: usize,
    /// `--max-queue`: the most requests that wait for a permit.
    pub max_queue: usize,
    /// `--queue-timeout`: how long they wait; `None` for no limit.
    pub queue_timeout: Option<Duration>,
    /// `--max-logs`: bytes kept of the logs of one invocation; 0 for no limit.
    pub max_logs: u64,
}

/// Reports the limits of bandog's own process with which it cannot work.
fn check_own_limits(reader: &mut Reader<'_>) {
    for (name, value, least) in process::too_small_limits() {
        let value = value.to_string();
        let advice = format!("expected at least {least}, which bandog needs to serve one call; raise the limit");
        reader.mistakes.push(Mistake::new(name, Some(value.as_ref()), Origin::Default, advice));
    }
}

/// Reads the group.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Limits> {
    let max_body = reader.size(&setting::MAX_BODY);
    let exec_timeout = reader.timeout(&setting::EXEC_TIMEOUT);
    let retries = reader.count(&setting::RETRIES);
    let kill_grace = reader.duration(&setting::KILL_GRACE);
    let read_timeout = reader.timeout(&setting::READ_TIMEOUT);
    let idle_timeout = reader.timeout(&setting::IDLE_TIMEOUT);
    let send_timeout = reader.timeout(&setting::SEND_TIMEOUT);
    let max_inflight = reader.count(&setting::MAX_INFLIGHT);
    let max_queue = reader.count(&setting::MAX_QUEUE);
    let queue_timeout = reader.timeout(&setting::QUEUE_TIMEOUT);
    let max_logs = reader.size(&setting::MAX_LOGS);
    check_own_limits(reader);
    Some(Limits {
        max_body: max_body?,
        exec_timeout: exec_timeout?,
        retries: retries?,
        kill_grace: kill_grace?,
        read_timeout: read_timeout?,
        idle_timeout: idle_timeout?,
        send_timeout: send_timeout?,
        max_inflight: max_inflight?,
        max_queue: max_queue?,
        queue_timeout: queue_timeout?,
        max_logs: max_logs?,
    })
}
