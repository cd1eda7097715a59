//! A front door of its own kind: it takes calls from a channel, as a job queue would, and knows the service by
//! [`Service::call`] alone. A new front door needs nothing else.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{Request, header::HeaderMap};
use tokio::sync::{mpsc, oneshot};

use bandog_runtime::reply::ErrorCode;
use bandog_service::{Call, Response, Service, testing};

/// A job: the body of a call, and where its result goes.
struct Job {
    id: &'static str,
    path: &'static str,
    input: &'static [u8],
    done: oneshot::Sender<Finished>,
}

/// The result of a job.
#[derive(Debug)]
struct Finished {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

/// The front door: takes one job after the other until the queue is closed.
async fn work(service: Arc<Service>, mut jobs: mpsc::Receiver<Job>) {
    while let Some(Job { id, path, input, done }) = jobs.recv().await {
        let request = Request::post(path).header("Content-Type", "application/octet-stream");
        let (head, ()) = request.body(()).expect("a head").into_parts();
        let call = Call { id: id.to_owned(), head, action: None };
        let body = Some(Bytes::from_static(input));
        let finished = match service.call(call, Box::new(body), &()).await {
            Ok(Response { head, body, .. }) => {
                let body = body.collect().await.expect("a whole body").to_bytes();
                Finished { status: head.status.as_u16(), headers: head.headers, body }
            }
            Err(problem) => {
                let (head, body) = service.context().page(problem);
                Finished { status: head.status.as_u16(), headers: head.headers, body }
            }
        };
        done.send(finished).expect("the job is waited for");
    }
}

async fn run(queue: &mpsc::Sender<Job>, id: &'static str, path: &'static str, input: &'static [u8]) -> Finished {
    let (done, finished) = oneshot::channel();
    assert!(queue.send(Job { id, path, input, done }).await.is_ok(), "the front door takes jobs");
    finished.await.expect("a result")
}

#[tokio::test]
async fn a_front_door_needs_nothing_but_the_one_entry() {
    let dir = tempfile::tempdir().expect("tempdir");
    let script =
        "test \"$(cat \"$INPUT_FILE_PATH\")\" = good && tr a-z A-Z < \"$INPUT_FILE_PATH\" > \"$TMP_OUTPUT_DIR/out\"";
    let service = Arc::new(testing::service(dir.path(), &["/bin/sh", "-c", script], None));
    let (queue, jobs) = mpsc::channel(1);
    let door = tokio::spawn(work(Arc::clone(&service), jobs));

    let good = run(&queue, "job-1", "/run/echo", b"good").await;
    assert_eq!((good.status, good.headers["x-call-id"].as_bytes()), (200, &b"job-1"[..]), "{good:?}");
    assert_eq!(good.body, "R09PRA==", "the base64 of GOOD");
    let bad = run(&queue, "job-2", "/run/echo", b"bad").await;
    assert_eq!(bad.headers["x-bandog-error"], ErrorCode::FunctionFailed.as_str(), "{bad:?}");
    let lost = run(&queue, "job-3", "/run/other", b"good").await;
    assert_eq!(lost.status, 404, "{lost:?}");

    let context = service.context();
    assert_eq!((context.workspaces.open_workspaces(), context.lifecycle.in_flight().count()), (0, 0));
    service.close(false);
    let late = run(&queue, "job-4", "/run/echo", b"good").await;
    assert_eq!(late.headers["x-bandog-error"], ErrorCode::Draining.as_str(), "{late:?}");
    drop(queue);
    door.await.expect("the front door ends with its queue");
}
