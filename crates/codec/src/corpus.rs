//! Replays the seeds of the fuzz targets, and a few thousand mutations of them, in every test run.
//!
//! It does not replace a fuzzer, which finds more in an hour. It finds regressions with a stable compiler.

use std::{fs, path::Path};

/// Marsaglia's xorshift: random enough to choose where to mutate.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (limit.max(1) as u64)).expect("it is below a usize")
    }
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(&corpus)
        .unwrap_or_else(|error| panic!("{}: {error}; it is in the repository", corpus.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a seed")).collect()
}

/// A seed with a few bytes changed, possibly with a part of another seed inserted.
fn mutant(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut body = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(3) {
        let at = dice.below(body.len() + 1);
        let to = at + dice.below((body.len() - at).min(16) + 1);
        let other = &seeds[dice.below(seeds.len())];
        let from = dice.below(other.len() + 1);
        match dice.below(6) {
            0 => body.truncate(at),
            1 => drop(body.drain(at..to)),
            2 => body.insert(at, u8::try_from(dice.below(256)).expect("a byte")),
            3 => drop(body.splice(at..at, other[from..].iter().copied())),
            4 => body.extend_from_within(at..to),
            _ => {
                if let Some(byte) = body.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
        }
    }
    body
}

/// Runs `check` on the seeds of `target` and on `mutants` mutations of them, which are the same in every run.
///
/// # Panics
///
/// If `check` panics, or the corpus of `target` cannot be read.
pub fn replay(target: &str, mutants: usize, check: fn(&[u8])) {
    let seeds = seeds(target);
    assert!(seeds.len() >= 10, "{target} has seeds");
    let mut dice = Dice(0x5eed_5eed_5eed_5eed);
    let mutants = (0..mutants).map(|_| mutant(&seeds, &mut dice));
    for body in seeds.iter().cloned().chain(mutants) {
        if let Err(panic) = std::panic::catch_unwind(|| check(&body)) {
            println!("{target}: {}", body.escape_ascii());
            std::panic::resume_unwind(panic);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::replay;
    use crate::chunkings::{check_base64, check_json, check_multipart};

    #[test]
    fn base64_bodies_from_the_corpus_hold_the_promises() {
        replay("base64", 2000, check_base64);
    }

    #[test]
    fn json_bodies_from_the_corpus_hold_the_promises() {
        replay("json", 2000, check_json);
    }

    #[test]
    fn forms_from_the_corpus_hold_the_promises() {
        replay("multipart", 2000, check_multipart);
    }
}
