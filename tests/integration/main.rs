//! The index of the integration tests: every suite is named by what it promises.
//!
//! All of them start the real binary. A program that a suite needs and does not find is a failure that names it.

mod harness;

mod actions;
mod admin;
mod admission;
mod answer;
mod clients;
mod commands;
mod cost;
mod decode;
mod faults;
mod fdl;
mod flow;
mod functions;
mod golden;
mod images;
mod init;
mod jwt;
mod lifecycle;
mod limits;
mod logs;
mod machine;
mod memory;
mod mistakes;
mod modes;
mod outlive;
mod paths;
mod process;
mod readme;
mod relays;
mod results;
mod sandbox;
mod security;
mod stalled;
mod static_files;
mod storage;
mod supervisor;
mod surroundings;
mod terminal;
mod upstream;
mod watchdog;
mod wire;
mod workspace_attacks;
mod workspace_faults;
