//! The end of the service: calls in flight finish, then are terminated, then killed.

use std::time::Duration;

use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};

use super::{Context, OnHangUp, Phase, Service, Stop};

/// The interval at which invocations without a connection, and threads, are looked at: nothing wakes the drain when they
/// end.
const POLL: Duration = Duration::from_millis(10);

/// How long invocations that were killed may take to clean up, and their callers to be told.
const CLEAN_UP: Duration = Duration::from_secs(1);

/// Ends what is in flight, of which `connections` are the callers: `--drain-timeout` to finish, then SIGTERM and
/// `--kill-grace`, then SIGKILL and `CLEAN_UP`. Told to stop now, it goes to the last step at once.
pub async fn drain(service: &Service, mut connections: JoinSet<()>, mut stop: watch::Receiver<Stop>) {
    let Context { lifecycle, settings, workers, .. } = &**service.context();
    lifecycle.enter(Phase::Draining);
    service.managed().for_each(|server| server.let_end());
    let in_flight = lifecycle.in_flight().count();
    tracing::info!(in_flight, "draining");
    let outcome = tokio::select! {
        () = all_ended(service, &mut connections) => "everything in flight was finished",
        () = sleep(settings.timeouts.drain) => "the drain timeout is over",
        () = stopped_now(&mut stop) => "told to stop now",
    };
    tracing::info!("drain ended: {outcome}");
    if *stop.borrow() < Stop::Now {
        service.close(false);
        tokio::select! {
            () = all_over(service, &mut connections) => {}
            () = sleep(patience(service).saturating_add(settings.timeouts.kill_grace)) => {}
            () = stopped_now(&mut stop) => {}
        }
    }
    service.close(true);
    let end = Instant::now() + CLEAN_UP;
    // Half of the time is for responses on their way; the other half is for the invocations that wrote to clients that do
    // not read, and are released when their connections are cut.
    let _ = timeout_at(end - CLEAN_UP / 2, all_over(service, &mut connections)).await;
    connections.shutdown().await;
    let _ = timeout_at(end, servers_over(service)).await;
    // Looked at from here: at the end of a full machine there may be no thread that could wait for it.
    while !workers.are_quiet() && Instant::now() < end {
        sleep(POLL).await;
    }
    if !workers.are_quiet() {
        tracing::error!("an invocation did not end; its workspace is removed at the next start");
    }
}

/// Resolves when the operator wants the end at once.
pub async fn stopped_now(stop: &mut watch::Receiver<Stop>) {
    if stop.wait_for(|stop| *stop == Stop::Now).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn all_ended(service: &Service, connections: &mut JoinSet<()>) {
    while connections.join_next().await.is_some() {}
    let Context { lifecycle, settings, .. } = &**service.context();
    // Functions whose callers have hung up, if these run on.
    while settings.on_hang_up == OnHangUp::RunOn && lifecycle.in_flight().count() > 0 {
        sleep(POLL).await;
    }
}

/// Resolves when nothing is served any more, and all managed servers have ended.
async fn all_over(service: &Service, connections: &mut JoinSet<()>) {
    all_ended(service, connections).await;
    servers_over(service).await;
}

async fn servers_over(service: &Service) {
    for server in service.managed() {
        server.is_over().await;
    }
}

/// How long the end may take before processes are told.
fn patience(service: &Service) -> Duration {
    service.managed().map(|server| server.patience()).max().unwrap_or_default()
}
