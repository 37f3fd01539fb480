//! Gzip (RFC 1952) in memory, inflated straight into a buffer of known size.
//!
//! A streaming reader spends a third of the time on copies through small buffers and on page faults. Here the caller
//! says how many bytes it expects, a second thread touches the pages of the output ahead of the decompressor, and
//! what the file promises is checked against what its length can hold before anything is allocated for it.

use std::hint::black_box;
use std::io;
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use flate2::{Crc, Decompress, FlushDecompress, Status};

use crate::{Error, Result};

/// The first two bytes of every gzip file.
pub(super) const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The most bytes that one byte of deflate can stand for: a match of 258 bytes costs at least two bits.
const MAX_RATIO: u64 = 1032;

/// The output is handed from the touching thread to the decompressor in pieces of this many bytes.
const PIECE: usize = 1 << 20;

/// The smallest page that any supported system has, in bytes.
const PAGE: usize = 4096;

/// A gzip file in memory, being inflated.
pub(super) struct Inflate<'a> {
    path: &'a Path,
    /// The deflate stream, the trailer, and whatever else the file holds.
    body: &'a [u8],
    state: Decompress,
    crc: Crc,
    /// Whether the deflate stream has said that it is over.
    ended: bool,
}

impl<'a> Inflate<'a> {
    /// Opens the gzip file `bytes`, which errors call `path`.
    ///
    /// # Errors
    /// [`Error::Format`] if the gzip header is damaged or cut short.
    pub(super) fn new(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
        let body = &bytes[header_length(path, bytes)?..];
        Ok(Self { path, body, state: Decompress::new(false), crc: Crc::new(), ended: false })
    }

    /// The most bytes that this file can inflate to.
    pub(super) fn most_bytes(&self) -> u64 {
        (self.body.len() as u64).saturating_mul(MAX_RATIO)
    }

    /// How many bytes have come out so far.
    fn position(&self) -> u64 {
        self.state.total_out()
    }

    fn format(&self, found: impl Into<String>, expected: impl Into<String>) -> Error {
        super::format_error(self.path, self.position(), found, expected)
    }

    /// Inflates into `output` and returns how many bytes came: fewer than asked for only at the end of the data.
    pub(super) fn fill(&mut self, output: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < output.len() && !self.ended {
            let before = (self.state.total_in(), self.state.total_out());
            let input = &self.body[before.0 as usize..];
            let status = self
                .state
                .decompress(input, &mut output[filled..], FlushDecompress::None)
                .map_err(|error| self.format(format!("invalid data ({error})"), "a deflate stream"))?;
            filled += (self.state.total_out() - before.1) as usize;
            self.ended = status == Status::StreamEnd;
            // Neither input taken nor output made: the file ends in the middle of the stream.
            if before == (self.state.total_in(), self.state.total_out()) {
                break;
            }
        }
        self.crc.update(&output[..filled]);
        Ok(filled)
    }

    /// Inflates exactly `length` more bytes, which the caller has held against [`Self::most_bytes`].
    ///
    /// # Errors
    /// [`Error::Format`] if the data end before or are damaged, [`Error::Io`] if there is no memory for them.
    pub(super) fn take(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut output = zeroed(self.path, length)?;
        let filled = if length <= PIECE { self.fill(&mut output)? } else { self.fill_touched(&mut output)? };
        if filled < length {
            let end = if self.ended { "the end of the data" } else { "the end of the file (truncated?)" };
            return Err(self.format(end, format!("{} more bytes", length - filled)));
        }
        Ok(output)
    }

    /// [`Self::fill`] for a large fresh buffer: another thread takes the page faults, a third of the time otherwise.
    fn fill_touched(&mut self, output: &mut [u8]) -> Result<usize> {
        thread::scope(|scope| {
            let (sender, pieces) = mpsc::sync_channel(16);
            let untouched = output.chunks_mut(PIECE);
            let touch = move || {
                for piece in untouched {
                    for page in piece.chunks_mut(PAGE) {
                        page[0] = black_box(0);
                    }
                    if sender.send(piece).is_err() {
                        break; // the data are damaged: nobody wants more
                    }
                }
            };
            thread::Builder::new()
                .name("data pages".into())
                .spawn_scoped(scope, touch)
                .map_err(|error| Error::io("read", self.path, error))?;

            let mut filled = 0;
            for piece in pieces {
                let got = self.fill(piece)?;
                filled += got;
                if got < piece.len() {
                    break;
                }
            }
            Ok(filled)
        })
    }

    /// Checks that the data are over, that their checksum and length hold, and that the file ends with them.
    pub(super) fn finish(mut self) -> Result<()> {
        let (path, end) = (self.path, self.position());
        let format = |found: String, expected: &str| Err(super::format_error(path, end, found, expected));
        let (sum, length) = (self.crc.sum(), end as u32);
        let mut extra = [0];
        if self.fill(&mut extra)? != 0 {
            return format("more bytes".into(), "the end of the data");
        }
        let rest = &self.body[self.state.total_in() as usize..];
        if !self.ended || rest.len() < 8 {
            return format("the end of the file (truncated?)".into(), "the gzip trailer");
        }
        let word = |at: usize| u32::from_le_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]);
        if word(0) != sum {
            return format(
                format!("data of CRC-32 {sum:#010x}"),
                &format!("CRC-32 {:#010x} as the file says", word(0)),
            );
        }
        if word(4) != length {
            return format(format!("{length} bytes"), &format!("{} bytes as the gzip trailer says", word(4)));
        }
        match rest.len() - 8 {
            0 => Ok(()),
            trailing => format(format!("{trailing} bytes after the gzip trailer"), "the end of the file"),
        }
    }
}

/// A zeroed buffer of `length` bytes; no memory for it is an error and not the end of the process.
///
/// The probe is what makes that so: a fallible reservation cannot hand over zeroed pages, which the system has for free.
fn zeroed(path: &Path, length: usize) -> Result<Vec<u8>> {
    Vec::<u8>::new()
        .try_reserve_exact(length)
        .map_err(|error| Error::io("read", path, io::Error::new(io::ErrorKind::OutOfMemory, error)))?;
    Ok(vec![0; length])
}

/// How many bytes the gzip header takes, its optional fields included.
fn header_length(path: &Path, bytes: &[u8]) -> Result<usize> {
    const HEADER_CRC: u8 = 1 << 1;
    const EXTRA: u8 = 1 << 2;
    const NAME: u8 = 1 << 3;
    const COMMENT: u8 = 1 << 4;
    const RESERVED: u8 = 0b1110_0000;

    let truncated = || {
        super::format_error(path, bytes.len() as u64, "the end of the file (truncated?)", "the rest of the gzip header")
    };
    let &[_, _, method, flags, _, _, _, _, _, _, ..] = bytes else { return Err(truncated()) };
    if method != 8 {
        return Err(super::format_error(path, 2, format!("compression method {method}"), "8 (deflate)"));
    }
    if flags & RESERVED != 0 {
        return Err(super::format_error(path, 3, format!("gzip flags {flags:#04x}"), "the reserved flags to be 0"));
    }
    let mut length = 10;
    if flags & EXTRA != 0 {
        let size = bytes.get(length..length + 2).ok_or_else(truncated)?;
        length += 2 + usize::from(u16::from_le_bytes([size[0], size[1]]));
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let rest = bytes.get(length..).ok_or_else(truncated)?;
            length += 1 + rest.iter().position(|&byte| byte == 0).ok_or_else(truncated)?;
        }
    }
    if flags & HEADER_CRC != 0 {
        let stored = bytes.get(length..length + 2).ok_or_else(truncated)?;
        let mut crc = Crc::new();
        crc.update(&bytes[..length]);
        if crc.sum() as u16 != u16::from_le_bytes([stored[0], stored[1]]) {
            return Err(super::format_error(path, length as u64, "another header CRC", "the gzip header's CRC"));
        }
        length += 2;
    }
    if length > bytes.len() { Err(truncated()) } else { Ok(length) }
}
