//! The head of a request → the call id, the content headers, and the variables of the function.
//!
//! `serve` passes the heads of its requests, `bandog run` a head made from its arguments. Both get the same result.

mod head;
mod variables;

pub use self::{
    head::{call_id, content_headers, details, url},
    variables::{Authorization, HeaderVariables, VariableSet, VariableValues, WhenEmpty, is_hidden, of as variables},
};
pub use crate::headers::X_BANDOG_TOKEN;
