//! Chance that can be had again: the same seed gives the same plan on every machine.

use std::{fmt::Write as _, sync::OnceLock};

/// Bytes that bodies are cut from: more than the largest of them.
const POOL: usize = 32 << 20;

/// A stream of numbers (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The stream of case `index` of a run: each case can be made again alone.
    pub(crate) fn of(seed: u64, index: u64) -> Self {
        let mut chance = Self(seed ^ index.wrapping_mul(0xd6e8_feb8_6659_fd93));
        chance.next();
        chance
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is not 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("below a usize")
    }

    /// From `least` to `most`.
    pub(crate) fn between(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most - least + 1)
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// Bytes of every value, unlike those of any other case.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        static NOISE: OnceLock<Vec<u8>> = OnceLock::new();
        let noise = NOISE.get_or_init(|| {
            let mut source = Self(1);
            (0..POOL / 8).flat_map(|_| source.next().to_le_bytes()).collect()
        });
        let at = self.below(POOL - length);
        let mut bytes = noise[at..at + length].to_vec();
        let own = self.next().to_le_bytes();
        for (byte, own) in bytes.iter_mut().zip(own) {
            *byte = own;
        }
        bytes
    }

    /// Lines of printable text of about this length in all, each with its number.
    pub(crate) fn lines(&mut self, length: usize) -> String {
        let mut text = String::new();
        for number in 0.. {
            if text.len() >= length {
                break;
            }
            let word = self.next();
            let _ = writeln!(text, "{number} {word:016x} {}", "-".repeat(self.below(60)));
        }
        text
    }
}
