//! Gzip (RFC 1952): whole files at once where they are what they should be, and streams, which tell what is wrong and where.
//!
//! A whole file takes libdeflate two thirds of the time that a decompressor of streams takes. Of what remains a fifth would be
//! page faults: another thread takes them, ahead of the decompressor.

use std::io::{self, BufRead, Read};
use std::path::Path;
use std::thread;

use flate2::{Crc, Decompress, FlushDecompress, Status};
use libdeflate_sys as libdeflate;

use crate::{Error, Result};

/// The first two bytes of every gzip file.
pub(super) const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The most bytes that one byte of deflate can stand for: a match of 258 bytes costs at least two bits.
const MAX_RATIO: u64 = 1032;

/// All data of a gzip file that is in memory, which must be `length` bytes; `None` where it is anything else, for [`Inflate`]
/// to say what. Of the header only what is needed to find the data is looked at.
pub(super) fn inflate_whole(file: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut output = zeroed(length).ok()?;
    let pages = Pages::of(&mut output);
    let (consumed, written) = thread::scope(|scope| {
        if length > FEW_BYTES {
            // Where there is no thread to be had, the decompressor takes the page faults itself.
            let _ = thread::Builder::new().name("data pages".into()).spawn_scoped(scope, move || pages.populate());
        }
        gunzip(file, &mut output)
    })?;
    ((consumed, written) == (file.len(), length)).then_some(output)
}

/// So many bytes are not worth a thread.
const FEW_BYTES: usize = 1 << 20;

/// Inflates one gzip member; how many bytes were read and written, `None` if it is damaged, cut short or too long.
fn gunzip(file: &[u8], output: &mut [u8]) -> Option<(usize, usize)> {
    let (mut consumed, mut written) = (0, 0);
    // SAFETY: takes nothing.
    let decompressor = unsafe { libdeflate::libdeflate_alloc_decompressor() };
    if decompressor.is_null() {
        return None;
    }
    // SAFETY: the decompressor is there, and both buffers are as long as it is told.
    let result = unsafe {
        libdeflate::libdeflate_gzip_decompress_ex(
            decompressor,
            file.as_ptr().cast(),
            file.len(),
            output.as_mut_ptr().cast(),
            output.len(),
            &raw mut consumed,
            &raw mut written,
        )
    };
    // SAFETY: nobody else has it.
    unsafe { libdeflate::libdeflate_free_decompressor(decompressor) };
    (result == libdeflate::libdeflate_result_LIBDEFLATE_SUCCESS).then_some((consumed, written))
}

/// Where a buffer lies.
struct Pages {
    first: usize,
    bytes: usize,
}

impl Pages {
    /// Those that a buffer has to itself.
    fn of(buffer: &mut [u8]) -> Self {
        /// The largest page of common systems: what is not whole pages is left to whoever writes there.
        const PAGE: usize = 1 << 16;
        let (begin, end) = (buffer.as_mut_ptr().addr(), buffer.as_mut_ptr().addr() + buffer.len());
        let first = begin.next_multiple_of(PAGE);
        Self { first, bytes: (end / PAGE * PAGE).saturating_sub(first) }
    }

    /// Has the system put memory there now, while somebody else writes and reads: nothing changes of what it holds.
    #[cfg(target_os = "linux")]
    fn populate(self) {
        use rustix::mm::{Advice, madvise};
        /// So many bytes at a time, the first of them first.
        const PIECE: usize = 1 << 21;
        for at in (0..self.bytes).step_by(PIECE) {
            let length = PIECE.min(self.bytes - at);
            let piece = std::ptr::without_provenance_mut(self.first + at);
            // SAFETY: this changes nothing of what the process can read, wherever it be.
            if unsafe { madvise(piece, length, Advice::LinuxPopulateWrite) }.is_err() {
                return; // Linux before 5.14
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn populate(self) {
        let _ = (self.first, self.bytes);
    }
}

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

    /// Bytes of the whole file.
    pub(super) fn length(&self) -> u64 {
        self.length
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
        let mut output = zeroed(length).map_err(|error| Error::io("read", self.path, error))?;
        let filled = self.fill(&mut output)?;
        if filled < length {
            let end = if self.ended { "the end of the data" } else { "the end of the file (truncated?)" };
            return Err(self.format(end, format!("{} more bytes", length - filled)));
        }
        Ok(output)
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
fn zeroed(length: usize) -> io::Result<Vec<u8>> {
    let reserved = Vec::<u8>::new().try_reserve_exact(length);
    reserved.map_err(|error| io::Error::new(io::ErrorKind::OutOfMemory, error))?;
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    /// What the readers of files make of both ways would not show that one of them is never gone.
    #[test]
    fn whole_files_are_inflated_at_once() {
        for length in [0, 1, 1_000, FEW_BYTES, 3 * FEW_BYTES + 17] {
            let data: Vec<u8> = (0..length).map(|index: usize| ((index * index) >> 7) as u8).collect();
            assert!(inflate_whole(&gzip(&data), length) == Some(data), "{length}");
        }
    }

    #[test]
    fn what_is_not_one_whole_file_is_left_to_the_stream() {
        let data = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        let file = gzip(&data);
        assert_eq!(inflate_whole(&file, 9).as_deref(), Some(&data[..]));
        let changed = |place: usize| {
            let mut file = file.clone();
            file[place] ^= 1;
            file
        };
        let end = file.len();
        assert_eq!(inflate_whole(&file, 8), None, "longer than it should be");
        assert_eq!(inflate_whole(&file, 10), None, "shorter than it should be");
        assert_eq!(inflate_whole(&file[..end - 1], 9), None, "cut short");
        assert_eq!(inflate_whole(&changed(end - 1), 9), None, "of another length by its trailer");
        assert_eq!(inflate_whole(&changed(end - 8), 9), None, "of another checksum");
        assert_eq!(inflate_whole(&changed(12), 9), None, "damaged");
        assert_eq!(inflate_whole(&[&file[..], &[0]].concat(), 9), None, "with a byte behind it");
        assert_eq!(inflate_whole(&[&file[..], &file].concat(), 9), None, "twice");
        assert_eq!(inflate_whole(&[], 9), None, "empty");
    }
}
