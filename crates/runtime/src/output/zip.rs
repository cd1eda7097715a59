//! Several files → a zip of stored entries, written while they are read (PKWARE's APPNOTE.TXT 6.3.10).
//!
//! As nothing is compressed, the length is known before the first byte. Checksums stand before the data, which is
//! read twice for that if it is large: archives with data descriptors are refused by readers that see the stream only
//! (Java's `ZipInputStream` for stored entries).

use jiff::tz::Offset;

use super::{
    TransferError,
    buffer::{ChunkBuf, GrowingBuf, ScratchBuf},
    tree::{FileTree, TreeEntry},
};

/// Bytes of a file that is read once, into memory, rather than twice.
const IN_MEMORY: u64 = 256 * 1024;

/// A size or offset from which on the 32-bit fields say nothing and the zip64 ones count (APPNOTE 4.4.1.4).
const LIMIT_32: u64 = 0xFFFF_FFFF;

/// A number of entries from which on the zip64 field counts.
const LIMIT_16: u64 = 0xFFFF;

const LOCAL_HEADER: u64 = 30;
const CENTRAL_HEADER: u64 = 46;
const END: u64 = 22;
const END_64: u64 = 56;
const LOCATOR_64: u64 = 20;
/// Id, length, flags and one time stamp.
const TIME_FIELD: u64 = 9;
/// Id and length of the zip64 extra field.
const FIELD_HEADER: u64 = 4;

/// The seconds since 1970 that a DOS time stamp can say: 1980-01-01 00:00:00 to 2107-12-31 23:59:58.
const DOS_SECONDS: std::ops::RangeInclusive<i64> = 315_532_800..=4_354_819_198;

/// In the upper byte 3 for unix, as the attributes are its modes (APPNOTE 4.4.2).
const MADE_BY: u16 = 0x0300 + VERSION_64;

/// The version of the format that has zip64: 4.5.
const VERSION_64: u16 = 45;

impl FileTree {
    /// The exact length of the zip, in bytes.
    #[must_use]
    pub fn zip_len(&self) -> u64 {
        let mut offset = 0_u64;
        let mut directory = 0_u64;
        for entry in self.iter() {
            directory += central_len(entry, offset);
            offset = offset.saturating_add(local_len(entry)).saturating_add(entry.size());
        }
        let end = if needs_64(self.len() as u64, directory, offset) { END_64 + LOCATOR_64 + END } else { END };
        offset.saturating_add(directory + end)
    }

    /// Writes the zip.
    pub(crate) fn write_zip(&self, into: &mut dyn ChunkBuf) -> Result<(), TransferError> {
        let mut checksums = Vec::with_capacity(self.len());
        let mut opener = self.opener();
        let mut content = GrowingBuf::default();
        let mut header = Vec::new();
        let mut offset = 0;
        for entry in self.iter() {
            let file = opener.open(entry)?;
            let mut checksum = crc32fast::Hasher::new();
            content.0.clear();
            header.clear();
            if entry.size() <= IN_MEMORY {
                // One byte more, so that the end of the file is seen in the same read.
                content.0.reserve(usize::try_from(entry.size() + 1).unwrap_or_default());
                file.write_to(&mut content, &mut |part| checksum.update(part))?;
                let checksum = checksum.finalize();
                checksums.push(checksum);
                local_header(&mut header, entry, checksum);
                into.write(&header)?;
                into.write(&content.0)?;
            } else {
                content.0.reserve(usize::try_from(IN_MEMORY).unwrap_or_default());
                file.write_to(&mut ScratchBuf(&mut content.0), &mut |part| checksum.update(part))?;
                let checksum = checksum.finalize();
                checksums.push(checksum);
                local_header(&mut header, entry, checksum);
                into.write(&header)?;
                let mut again = crc32fast::Hasher::new();
                file.write_to(into, &mut |part| again.update(part))?;
                if again.finalize() != checksum {
                    return Err(TransferError::Changed { name: entry.path().to_path_buf() });
                }
            }
            offset += local_len(entry) + entry.size();
        }
        self.write_directory(into, &checksums, offset)
    }

    fn write_directory(&self, into: &mut dyn ChunkBuf, checksums: &[u32], start: u64) -> Result<(), TransferError> {
        let mut header = Vec::new();
        let (mut offset, mut len) = (0, 0);
        for (entry, checksum) in self.iter().zip(checksums) {
            header.clear();
            central_header(&mut header, entry, *checksum, offset);
            into.write(&header)?;
            offset += local_len(entry) + entry.size();
            len += header.len() as u64;
        }
        header.clear();
        end(&mut header, self.len() as u64, len, start);
        into.write(&header)?;
        Ok(())
    }
}

fn local_len(entry: TreeEntry<'_>) -> u64 {
    let sizes = if entry.size() >= LIMIT_32 { FIELD_HEADER + 16 } else { 0 };
    LOCAL_HEADER + entry.archived().len() as u64 + time_len(entry) + sizes
}

fn central_len(entry: TreeEntry<'_>, offset: u64) -> u64 {
    CENTRAL_HEADER + entry.archived().len() as u64 + time_len(entry) + central_sizes_len(entry, offset)
}

fn central_sizes_len(entry: TreeEntry<'_>, offset: u64) -> u64 {
    match (entry.size() >= LIMIT_32, offset >= LIMIT_32) {
        (false, false) => 0,
        (true, false) => FIELD_HEADER + 16,
        (false, true) => FIELD_HEADER + 8,
        (true, true) => FIELD_HEADER + 24,
    }
}

fn time_len(entry: TreeEntry<'_>) -> u64 {
    if i32::try_from(entry.modified()).is_ok() { TIME_FIELD } else { 0 }
}

fn needs_64(entries: u64, directory_len: u64, directory_start: u64) -> bool {
    entries >= LIMIT_16 || directory_len >= LIMIT_32 || directory_start >= LIMIT_32
}

/// APPNOTE 4.3.7.
fn local_header(out: &mut Vec<u8>, entry: TreeEntry<'_>, checksum: u32) {
    let large = entry.size() >= LIMIT_32;
    put32(out, 0x0403_4b50);
    common(out, entry, checksum, large);
    put16(out, saturate16(local_len(entry) - LOCAL_HEADER - entry.archived().len() as u64));
    out.extend_from_slice(entry.archived());
    time_field(out, entry);
    if large {
        put16(out, 0x0001);
        put16(out, 16);
        put64(out, entry.size());
        put64(out, entry.size());
    }
}

/// APPNOTE 4.3.12.
fn central_header(out: &mut Vec<u8>, entry: TreeEntry<'_>, checksum: u32, offset: u64) {
    let large = entry.size() >= LIMIT_32;
    let sizes = central_sizes_len(entry, offset);
    put32(out, 0x0201_4b50);
    put16(out, MADE_BY);
    common(out, entry, checksum, sizes > 0);
    put16(out, saturate16(time_len(entry) + sizes));
    put16(out, 0); // Comment.
    put16(out, 0); // Disk.
    put16(out, 0); // Internal attributes.
    put32(out, u32::from(entry.mode()) << 16);
    put32(out, saturate32(offset));
    out.extend_from_slice(entry.archived());
    time_field(out, entry);
    if sizes > 0 {
        put16(out, 0x0001);
        put16(out, saturate16(sizes - FIELD_HEADER));
        if large {
            put64(out, entry.size());
            put64(out, entry.size());
        }
        if offset >= LIMIT_32 {
            put64(out, offset);
        }
    }
}

/// The fields that both headers share, from the version needed to the length of the name.
fn common(out: &mut Vec<u8>, entry: TreeEntry<'_>, checksum: u32, zip64: bool) {
    let name = entry.archived();
    // Bit 11 says UTF-8 (APPNOTE appendix D); without it readers take the bytes as they are, or guess.
    let utf8 = !name.is_ascii() && std::str::from_utf8(name).is_ok();
    let (date, time) = dos_time(entry.modified());
    put16(out, if zip64 { VERSION_64 } else { 10 });
    put16(out, if utf8 { 1 << 11 } else { 0 });
    put16(out, 0); // Stored.
    put16(out, time);
    put16(out, date);
    put32(out, checksum);
    put32(out, saturate32(entry.size()));
    put32(out, saturate32(entry.size()));
    put16(out, saturate16(name.len() as u64));
}

/// The extended time stamp of Info-ZIP (`extrafld.txt`, 0x5455): in UTC and to the second, where DOS time knows
/// neither. Left out where it can't be said.
fn time_field(out: &mut Vec<u8>, entry: TreeEntry<'_>) {
    if let Ok(seconds) = i32::try_from(entry.modified()) {
        put16(out, 0x5455);
        put16(out, 5);
        out.push(1); // Only the time of modification.
        out.extend_from_slice(&seconds.to_le_bytes());
    }
}

/// APPNOTE 4.3.14 to 4.3.16.
fn end(out: &mut Vec<u8>, entries: u64, directory_len: u64, directory_start: u64) {
    if needs_64(entries, directory_len, directory_start) {
        put32(out, 0x0606_4b50);
        put64(out, END_64 - 12);
        put16(out, MADE_BY);
        put16(out, VERSION_64);
        put32(out, 0);
        put32(out, 0);
        put64(out, entries);
        put64(out, entries);
        put64(out, directory_len);
        put64(out, directory_start);
        put32(out, 0x0706_4b50);
        put32(out, 0);
        put64(out, directory_start + directory_len);
        put32(out, 1);
    }
    put32(out, 0x0605_4b50);
    put16(out, 0);
    put16(out, 0);
    put16(out, saturate16(entries));
    put16(out, saturate16(entries));
    put32(out, saturate32(directory_len));
    put32(out, saturate32(directory_start));
    put16(out, 0);
}

/// Date and time as MS-DOS had them, in UTC, the nearest that can be said.
fn dos_time(seconds: i64) -> (u16, u16) {
    let seconds = seconds.clamp(*DOS_SECONDS.start(), *DOS_SECONDS.end());
    let Ok(moment) = jiff::Timestamp::from_second(seconds) else { return (1 << 5 | 1, 0) };
    let moment = Offset::UTC.to_datetime(moment);
    let part = |value: i8| u16::try_from(value).unwrap_or_default();
    let year = u16::try_from(moment.year() - 1980).unwrap_or_default();
    let date = year << 9 | part(moment.month()) << 5 | part(moment.day());
    let time = part(moment.hour()) << 11 | part(moment.minute()) << 5 | (part(moment.second()) / 2);
    (date, time)
}

fn saturate16(value: u64) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

fn saturate32(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests;
