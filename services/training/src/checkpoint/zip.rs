//! The directory of a zip file whose members are stored as they are, which is how PyTorch writes them.
//!
//! PKWARE's APPNOTE.TXT 6.3.10: end of central directory (4.3.16), its 64-bit form (4.3.14, 4.3.15, 4.5.3), central
//! headers (4.3.12) and local headers (4.3.7). Checksums are not compared: shapes and values are checked by the reader.

use std::collections::BTreeMap;
use std::ops::Range;

use super::CheckpointError;

/// Members that are read at most: a BERT has one for each tensor.
const MOST_FILES: u64 = 1 << 16;
/// A field that stands in the 64-bit extra field instead.
const ELSEWHERE: u64 = 0xffff_ffff;

const WRONG: CheckpointError = CheckpointError::Torch("its zip directory is damaged");

/// A number of up to eight little-endian bytes.
fn number(bytes: &[u8], at: usize, size: usize) -> Result<u64, CheckpointError> {
    let end = at.checked_add(size).ok_or(WRONG)?;
    let field = bytes.get(at..end).ok_or(WRONG)?;
    Ok(field
        .iter()
        .rev()
        .fold(0, |sum, &byte| (sum << 8) | u64::from(byte)))
}

fn place(value: u64) -> Result<usize, CheckpointError> {
    usize::try_from(value).map_err(|_| WRONG)
}

/// Name of each member and where its bytes lie in the file.
pub(super) fn files(bytes: &[u8]) -> Result<BTreeMap<String, Range<usize>>, CheckpointError> {
    // The end record has 22 bytes and a comment of at most 65,535.
    let tail = bytes.len().saturating_sub(22 + 0xffff);
    let end = bytes[tail..]
        .windows(4)
        .rposition(|four| four == b"PK\x05\x06")
        .map(|at| tail + at)
        .ok_or(CheckpointError::Short)?;
    let (mut count, mut start) = (number(bytes, end + 10, 2)?, number(bytes, end + 16, 4)?);
    if count == 0xffff || start == ELSEWHERE {
        let locator = end.checked_sub(20).ok_or(WRONG)?;
        if !bytes[locator..].starts_with(b"PK\x06\x07") {
            return Err(WRONG);
        }
        let record = place(number(bytes, locator + 8, 8)?)?;
        if bytes
            .get(record..)
            .is_none_or(|record| !record.starts_with(b"PK\x06\x06"))
        {
            return Err(WRONG);
        }
        (count, start) = (number(bytes, record + 32, 8)?, number(bytes, record + 48, 8)?);
    }
    if count > MOST_FILES {
        return Err(WRONG);
    }
    let mut files = BTreeMap::new();
    let mut at = place(start)?;
    for _ in 0..count {
        if bytes
            .get(at..)
            .is_none_or(|header| !header.starts_with(b"PK\x01\x02"))
        {
            return Err(WRONG);
        }
        let [flags, method] = [number(bytes, at + 8, 2)?, number(bytes, at + 10, 2)?];
        if method != 0 || flags & 1 != 0 {
            return Err(CheckpointError::Torch("a part of it is compressed or encrypted"));
        }
        let mut size = number(bytes, at + 24, 4)?;
        let mut local = number(bytes, at + 42, 4)?;
        let [name, extra, comment] = [28, 30, 32].map(|field| number(bytes, at + field, 2));
        let (name, extra, comment) = (place(name?)?, place(extra?)?, place(comment?)?);
        let name_end = at + 46 + name;
        let text = bytes.get(at + 46..name_end).ok_or(WRONG)?;
        if size == ELSEWHERE || local == ELSEWHERE {
            let extra = bytes.get(name_end..name_end + extra).ok_or(WRONG)?;
            (size, local) = wide(extra, number(bytes, at + 20, 4)?, size, local)?;
        }
        // The local header repeats the name, and its extra field, which aligns the numbers, has a length of its own.
        let local = place(local)?;
        if bytes
            .get(local..)
            .is_none_or(|header| !header.starts_with(b"PK\x03\x04"))
        {
            return Err(WRONG);
        }
        let skip = number(bytes, local + 26, 2)? + number(bytes, local + 28, 2)? + 30;
        let data = local.checked_add(place(skip)?).ok_or(WRONG)?;
        let data_end = data.checked_add(place(size)?).ok_or(CheckpointError::Short)?;
        if data_end > bytes.len() {
            return Err(CheckpointError::Short);
        }
        let text = std::str::from_utf8(text).map_err(|_| WRONG)?;
        files.insert(text.to_owned(), data..data_end);
        at = name_end + extra + comment;
    }
    Ok(files)
}

/// Size and local header's place from the 64-bit extra field, which holds only the fields that stand elsewhere.
fn wide(extra: &[u8], packed: u64, size: u64, local: u64) -> Result<(u64, u64), CheckpointError> {
    let mut at = 0;
    while at + 4 <= extra.len() {
        let (tag, length) = (number(extra, at, 2)?, place(number(extra, at + 2, 2)?)?);
        let field = extra.get(at + 4..at + 4 + length).ok_or(WRONG)?;
        if tag == 1 {
            let mut next = 0;
            let mut read = |short: u64| -> Result<u64, CheckpointError> {
                if short != ELSEWHERE {
                    return Ok(short);
                }
                next += 8;
                number(field, next - 8, 8)
            };
            let size = read(size)?;
            read(packed)?;
            return Ok((size, read(local)?));
        }
        at += 4 + length;
    }
    Err(WRONG)
}
