//! The faults of the tools that bandog replaces, each with the test that it is not one of bandog's, named after it.
//!
//! Every test says which guard holds it, and what was seen when that guard was taken out. Where a fault belongs to a
//! way of working that bandog does not have, the same promise is tested on what there is.
//!
//! | fault | of them | held here |
//! |---|---|---|
//! | F1 | a grandchild that holds stdout keeps the request open | [`processes`] |
//! | F2 | as process 1 nothing reaps orphans | [`processes`], also as process 1 |
//! | F3 | the client is gone, the process runs on and keeps its place | [`processes`] |
//! | F4 | a body is cut silently on kept connections | [`bodies`] |
//! | F5 | failure, timeout, missing program: status 200 | [`answers`] |
//! | F6 | what breaks off looks like a complete 200 | [`answers`]: HTTP/1.0, 1.1 and 2, with and without a length; `upstream::an_answer_that_is_cut_…` |
//! | F7 | logs mixed into the result | [`answers`] |
//! | F8 | `Proxy:` becomes `Http_Proxy`, `Query:` poses as `Http_Query` | [`secrets`] |
//! | F9 | the whole body in memory, without a limit | [`bodies`]; more of it in the suite `memory` |
//! | F10 | a header lifts the timeout | [`lifecycle`], `upstream::the_time_limit_holds_…` |
//! | F11 | who leaves an event stream keeps its place | [`lifecycle`], `upstream::a_client_that_leaves_its_events_…` |
//! | F12 | a long line stops the reader, and the function hangs | [`processes`], `upstream::lifecycle::lines_of_any_length_…` |
//! | F13 | lines of stderr lost in a race of wait and read | [`processes`] |
//! | F14 | a script that ignores stdin: zombies and broken pipes | [`processes`] |
//! | F15 | port in use, unwritable file: exit code 0 | [`lifecycle`]; there is no lock file, `--address-file` stands in |
//! | F16 | `healthcheck_interval=0` never ends, `suppress_lock` is never healthy | [`lifecycle`]: neither means anything here |
//! | F17 | SIGTERM drops what is in flight | [`lifecycle`], `upstream::lifecycle::sigterm_reaches_…` |
//! | F18 | longer than `write_timeout`: closed without an answer, place kept | [`lifecycle`]; there is no such timeout, others stand in |
//! | F19 | JSON rewritten, scalars and digits refused with a traceback | [`bodies`]; more of it in `fixtures/golden` |
//! | F20 | a key with a telling name taken for an event | [`bodies`] |
//! | F21 | broken links, old times, odd names, FIFOs: a crash or a hang | [`answers`] |
//! | F22 | a timeout leaves directories and the script behind | [`processes`] |
//! | F23 | CR rewritten, invalid UTF-8 dropped | [`answers`] |
//! | F24 | no script: 200; no credentials: outputs dropped | [`lifecycle`] for the first; `storage::failures_have_their_codes_and_start_nothing` for the second |
//! | F25 | token and `Authorization` in the script's environment | [`secrets`] |
//! | F26 | a job's body through an unquoted `echo $EVENT` | [`bodies`], through `bandog run`; there is no job of our own |
//! | F27 | token compared with `==`, unanchored, not for forms | [`secrets`]; there are neither JWT nor HMAC |
//! | F28 | no timeouts (slow-loris) | [`lifecycle`] |

mod answers;
mod bodies;
mod lifecycle;
mod processes;
mod secrets;
