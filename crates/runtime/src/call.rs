//! One call: an invocation and its response. `serve` makes one for each request, `run` makes one in all.

mod live;
mod response_writer;
mod run_and_answer;

pub use self::{
    response_writer::ResponseWriter,
    run_and_answer::{CompletedCall, run_and_answer},
};
