//! Reading the body of an answer within bounds, also where a few compressed bytes are made to be very many.

use flate2::read::MultiGzDecoder;
use std::io::{self, Read};

/// So many times larger than its compressed form an answer may be. JSON of accounts is 10 to 40 times as large.
const LARGEST_RATIO: u64 = 100;
/// Up to this size nobody asks how well it was compressed.
const SMALL: u64 = 1024 * 1024;
/// How much is decompressed before the bounds are looked at again.
const STEP: u64 = 64 * 1024;

/// Reads a body of at most `largest` bytes, decompressed.
pub(super) fn read(body: &mut ureq::Body, encoding: Option<&str>, largest: u64) -> Result<Vec<u8>, ureq::Error> {
    let told = body.content_length().unwrap_or_default().min(SMALL);
    let reader = body.as_reader();
    if encoding.is_some_and(|encoding| ["gzip", "x-gzip"].iter().any(|known| encoding.eq_ignore_ascii_case(known))) {
        return decompressed(reader, largest);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(told).unwrap_or_default());
    reader.take(largest.saturating_add(1)).read_to_end(&mut bytes)?;
    if length(&bytes) > largest { Err(ureq::Error::BodyExceedsLimit(largest)) } else { Ok(bytes) }
}

fn decompressed(reader: impl Read, largest: u64) -> Result<Vec<u8>, ureq::Error> {
    let mut decoder = MultiGzDecoder::new(Counted { reader, count: 0 });
    let mut bytes = Vec::new();
    while decoder.by_ref().take(STEP).read_to_end(&mut bytes)? > 0 {
        let (size, compressed) = (length(&bytes), decoder.get_ref().count);
        if size > largest || size > SMALL && size / LARGEST_RATIO > compressed {
            return Err(ureq::Error::BodyExceedsLimit(largest));
        }
    }
    Ok(bytes)
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Counts what is read.
struct Counted<R> {
    reader: R,
    count: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.count = self.count.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}
