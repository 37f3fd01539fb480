//! Gzip (RFC 1952), inflated straight into a buffer of known size.
//!
//! A general reader spends a third of its time on page faults. Here the caller says how many bytes it expects, after
//! holding that number against what a file of this length can inflate to, and a second thread touches the pages of the
//! output ahead of the decompressor.

use std::hint::black_box;
use std::io::{self, BufRead, Read};
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

/// A gzip file being inflated.
pub(super) struct Inflate<'a, R> {
    path: &'a Path,
    /// What follows of the file: the deflate stream, the trailer, and whatever else there is.
    input: R,
    /// Bytes of the whole file.
    length: u64,
    state: Decompress,
    crc: Crc,
    /// Whether the deflate stream has said that it is over.
    ended: bool,
}

impl<'a, R: BufRead> Inflate<'a, R> {
    /// Opens the gzip file `input` of `length` bytes, which errors call `path`.
    ///
    /// # Errors
    /// [`Error::Format`] if the gzip header is damaged or cut short.
    pub(super) fn new(path: &'a Path, mut input: R, length: u64) -> Result<Self> {
        Header { path, input: &mut input, crc: Crc::new() }.skip()?;
        Ok(Self { path, input, length, state: Decompress::new(false), crc: Crc::new(), ended: false })
    }

    /// The most bytes that a file of this length can inflate to.
    pub(super) fn most_bytes(&self) -> u64 {
        self.length.saturating_mul(MAX_RATIO)
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
            let input = self.input.fill_buf().map_err(|error| Error::io("read", self.path, error))?;
            let status = self.state.decompress(input, &mut output[filled..], FlushDecompress::None);
            self.input.consume((self.state.total_in() - before.0) as usize);
            let status = status.map_err(|error| self.format(format!("invalid data ({error})"), "a deflate stream"))?;
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
        let io = |error| Error::io("read", path, error);
        let mut trailer = Vec::with_capacity(8);
        self.input.by_ref().take(8).read_to_end(&mut trailer).map_err(io)?;
        let (true, &[a, b, c, d, e, f, g, h]) = (self.ended, trailer.as_slice()) else {
            return format("the end of the file (truncated?)".into(), "the gzip trailer");
        };
        let (stored_sum, stored_length) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        if stored_sum != sum {
            return format(format!("data of CRC-32 {sum:#010x}"), &format!("{stored_sum:#010x} as the file says"));
        }
        if stored_length != length {
            return format(format!("{length} bytes"), &format!("{stored_length} bytes as the gzip trailer says"));
        }
        if !self.input.fill_buf().map_err(io)?.is_empty() {
            return format("more bytes after the gzip trailer".into(), "the end of the file");
        }
        Ok(())
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

/// The gzip header, being read.
struct Header<'a, R> {
    path: &'a Path,
    input: &'a mut R,
    /// Of the bytes so far, which it counts, too.
    crc: Crc,
}

impl<R: BufRead> Header<'_, R> {
    /// The next `N` bytes.
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.problem(0, "the end of the file (truncated?)", "a gzip header"),
            _ => Error::io("read", self.path, error),
        })?;
        self.crc.update(&bytes);
        Ok(bytes)
    }

    /// An error about what begins `back` bytes before the place that has been reached.
    fn problem(&self, back: u32, found: impl Into<String>, expected: impl Into<String>) -> Error {
        super::format_error(self.path, u64::from(self.crc.amount() - back), found, expected)
    }

    /// Reads past the header, its optional fields included.
    fn skip(mut self) -> Result<()> {
        const HEADER_CRC: u8 = 1 << 1;
        const EXTRA: u8 = 1 << 2;
        const NAME: u8 = 1 << 3;
        const COMMENT: u8 = 1 << 4;
        const RESERVED: u8 = 0b1110_0000;

        self.bytes::<2>()?; // the magic number, which brought us here
        let [method] = self.bytes()?;
        if method != 8 {
            return Err(self.problem(1, format!("compression method {method}"), "8 (deflate)"));
        }
        let [flags] = self.bytes()?;
        if flags & RESERVED != 0 {
            return Err(self.problem(1, format!("gzip flags {flags:#04x}"), "the reserved flags to be 0"));
        }
        self.bytes::<6>()?; // time, level and system of the compression
        if flags & EXTRA != 0 {
            for _ in 0..u16::from_le_bytes(self.bytes()?) {
                self.bytes::<1>()?;
            }
        }
        for text in [NAME, COMMENT] {
            if flags & text != 0 {
                while self.bytes()? != [0] {}
            }
        }
        if flags & HEADER_CRC != 0 {
            let sum = self.crc.sum() as u16;
            let stored = u16::from_le_bytes(self.bytes()?);
            if stored != sum {
                let expected = format!("{stored:#06x} as the file says");
                return Err(self.problem(2, format!("a gzip header of CRC {sum:#06x}"), expected));
            }
        }
        Ok(())
    }
}
