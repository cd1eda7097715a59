//! Typed actions: what a service says it can do, from its file to the answer.

mod file;
