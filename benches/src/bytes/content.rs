//! The content of bodies: any number of bytes from a block that stays in the cache, so that making them costs nothing.

use std::io::{self, Write};

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Bytes of the block, a whole number of base64 groups.
const BLOCK: usize = 192 * 1024;

/// The same content raw and as base64.
pub(super) struct Content {
    raw: Stretch,
    base64: Stretch,
}

/// A block again and again, and what follows the last one.
#[derive(Clone)]
pub(super) struct Stretch {
    block: Vec<u8>,
    blocks: u64,
    rest: Vec<u8>,
}

impl Content {
    /// Content of `length` bytes.
    pub(super) fn new(length: u64) -> Self {
        // Any bytes that do not repeat soon: a multiplicative generator (Steele and Vigna 2021).
        let mut state = 1_u64;
        let block: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1);
            (state >> 56) as u8
        })
        .take(BLOCK)
        .collect();
        let (blocks, rest) = (length / BLOCK as u64, (length % BLOCK as u64) as usize);
        let rest = block[..rest].to_vec();
        let base64 = Stretch { block: STANDARD.encode(&block).into(), blocks, rest: STANDARD.encode(&rest).into() };
        Self { raw: Stretch { block, blocks, rest }, base64 }
    }

    pub(super) fn raw(&self) -> &Stretch {
        &self.raw
    }

    pub(super) fn base64(&self) -> &Stretch {
        &self.base64
    }
}

impl Stretch {
    pub(super) fn len(&self) -> u64 {
        self.block.len() as u64 * self.blocks + self.rest.len() as u64
    }

    pub(super) fn write_to(&self, into: &mut impl Write) -> io::Result<()> {
        for _ in 0..self.blocks {
            into.write_all(&self.block)?;
        }
        into.write_all(&self.rest)
    }

    /// Whether `bytes` are what stands at `offset`; at most `limit` of them are looked at, as far as they lie in one
    /// block.
    pub(super) fn has(&self, offset: u64, bytes: &[u8], limit: usize) -> bool {
        let (block, at) = (offset / self.block.len() as u64, (offset % self.block.len() as u64) as usize);
        let there = if block < self.blocks { &self.block[at..] } else { self.rest.get(at..).unwrap_or_default() };
        let count = bytes.len().min(there.len()).min(limit);
        bytes[..count] == there[..count]
    }
}
