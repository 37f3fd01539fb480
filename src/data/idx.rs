//! IDX files, the format of MNIST and its relatives: reading (plain or gzipped) and writing.
//!
//! A file is a magic number, one big-endian 32-bit size a dimension, and the elements as unsigned bytes. Whether it is
//! gzipped is seen from its content, never from its name. Nothing is allocated for a header before its promise has
//! been held against the length of the file.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use bytes::Bytes;

use super::gzip::{self, Inflate};
use crate::{Error, Result};

/// Magic number of unsigned bytes in three dimensions: images.
const IMAGES: u32 = 0x0803;
/// Magic number of unsigned bytes in one dimension: labels.
const LABELS: u32 = 0x0801;
/// The longest header that is read: the magic number and three sizes.
const MAX_HEADER: usize = 16;
/// Bytes that are read from the disk at a time: little enough to stay in the cache until they are inflated.
const BUFFER: usize = 1 << 18;

/// Grey images, `[count, rows, columns]`, row-major, one byte a pixel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// `count * rows * columns` bytes; clones share them.
    pub pixels: Bytes,
    /// How many images; at least 1.
    pub count: usize,
    /// Pixels from top to bottom; at least 1.
    pub rows: usize,
    /// Pixels from left to right; at least 1.
    pub columns: usize,
}

/// Reads an IDX file of images, gzipped or not.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read or is a folder, [`Error::Format`] if it is not a whole IDX file of at least
/// one image.
pub fn read_images(path: &Path) -> Result<Images> {
    images(read(path, IMAGES)?)
}

/// Reads an IDX file of labels, gzipped or not: `[count]`, one byte a label.
///
/// # Errors
/// As [`read_images`].
pub fn read_labels(path: &Path) -> Result<Vec<u8>> {
    Ok(read(path, LABELS)?.1.into())
}

/// [`read_images`] of a file that is in memory; `path` is what errors call it.
///
/// # Errors
/// As [`read_images`].
pub fn decode_images(path: &Path, file: &[u8]) -> Result<Images> {
    images(decode(path, file, file.len() as u64, IMAGES)?)
}

/// [`read_labels`] of a file that is in memory; `path` is what errors call it.
///
/// # Errors
/// As [`read_images`].
pub fn decode_labels(path: &Path, file: &[u8]) -> Result<Vec<u8>> {
    Ok(decode(path, file, file.len() as u64, LABELS)?.1.into())
}

/// The plain IDX file of images whose `pixels` are `[count, rows, columns]`.
///
/// # Errors
/// [`Error::Config`] if the pixels do not make whole images or are too many for the format.
pub fn encode_images(pixels: &[u8], rows: usize, columns: usize) -> Result<Vec<u8>> {
    let count = rows.checked_mul(columns).filter(|&size| size > 0 && pixels.len().is_multiple_of(size));
    let Some(count) = count.map(|size| pixels.len() / size) else {
        return Err(Error::config(format!("{} bytes are not images of {rows} x {columns}", pixels.len())));
    };
    encode(IMAGES, &[count, rows, columns], pixels)
}

/// The plain IDX file of `labels`, `[count]`.
///
/// # Errors
/// [`Error::Config`] if they are too many for the format.
pub fn encode_labels(labels: &[u8]) -> Result<Vec<u8>> {
    encode(LABELS, &[labels.len()], labels)
}

fn encode(magic: u32, sizes: &[usize], elements: &[u8]) -> Result<Vec<u8>> {
    let mut file = Vec::with_capacity(MAX_HEADER + elements.len());
    file.extend(magic.to_be_bytes());
    for &size in sizes {
        let size =
            u32::try_from(size).map_err(|_| Error::config(format!("{size} is too large for an IDX dimension")))?;
        file.extend(size.to_be_bytes());
    }
    file.extend(elements);
    Ok(file)
}

fn images((header, pixels): (Header, Bytes)) -> Result<Images> {
    let [count, rows, columns] = header.sizes;
    Ok(Images { pixels, count, rows, columns })
}

/// A header that has been checked against the kind of file that is wanted.
struct Header {
    /// Count, rows, columns; labels have 1 row and 1 column.
    sizes: [usize; 3],
    /// Bytes of the header itself.
    length: usize,
    /// Bytes of the elements: the product of the sizes.
    elements: usize,
}

impl Header {
    /// How many bytes the header of a file of this kind has.
    fn length(magic: u32) -> usize {
        // The low byte of the magic number is the number of dimensions.
        4 + 4 * (magic & 0xff) as usize
    }

    /// Parses `head`, the first bytes of the file or all of a shorter one.
    fn parse(path: &Path, head: &[u8], magic: u32) -> Result<Self> {
        let word = |at: usize| head.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
        if let Some(found) = word(0).filter(|&found| found != magic) {
            let expected = format!("the magic number {}", describe(magic));
            return Err(super::format_error(path, 0, describe(found), expected));
        }
        let length = Self::length(magic);
        if head.len() < length {
            let found = if head.is_empty() { "an empty file" } else { "the end of the file (truncated?)" };
            let expected = format!("a header of {length} bytes that begins with {}", describe(magic));
            return Err(super::format_error(path, head.len() as u64, found, expected));
        }
        let mut sizes = [1; 3];
        let mut product = 1u64;
        for (size, at) in sizes.iter_mut().zip((4..length).step_by(4)) {
            let declared = word(at).unwrap_or_default();
            let problem = |found, expected| super::format_error(path, at as u64, found, expected);
            if declared == 0 {
                let what = ["images or labels", "rows", "columns"][at / 4 - 1];
                return Err(problem(format!("0 {what}"), "at least 1"));
            }
            // Whatever does not fit this machine's addresses cannot be the length of a file in memory either.
            let fits = product.checked_mul(declared.into()).filter(|&product| isize::try_from(product).is_ok());
            product = fits.ok_or_else(|| {
                problem(format!("a size of {declared}, {product} times"), "sizes whose product fits in memory")
            })?;
            *size = declared as usize;
        }
        Ok(Self { sizes, length, elements: product as usize })
    }

    /// Checks that a plain file of `length` bytes is neither shorter nor longer than the header says.
    fn check_length(&self, path: &Path, length: u64) -> Result<()> {
        let expected = self.length as u64 + self.elements as u64;
        if length == expected {
            return Ok(());
        }
        let found = if length < expected { "the end of the file (truncated?)" } else { "more bytes" };
        Err(super::format_error(
            path,
            length.min(expected),
            found,
            format!("{expected} bytes in all, as the header says"),
        ))
    }
}

/// A magic number with its meaning, for errors.
fn describe(magic: u32) -> String {
    match magic {
        IMAGES => format!("{magic:#010x} (images)"),
        LABELS => format!("{magic:#010x} (labels)"),
        _ => format!("{magic:#010x}"),
    }
}

/// Reads the file at `path`, which must be of the kind `magic`.
fn read(path: &Path, magic: u32) -> Result<(Header, Bytes)> {
    let io = |error| Error::io("read", path, error);
    // Asked before opening, because opening a pipe would wait for its other end.
    let metadata = fs::metadata(path).map_err(io)?;
    if metadata.is_dir() {
        return Err(io(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")));
    }
    if !metadata.is_file() {
        return Err(io(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")));
    }
    let file = File::open(path).map_err(io)?;
    decode(path, BufReader::with_capacity(BUFFER, file), metadata.len(), magic)
}

/// Decodes a file of `length` bytes, which must be of the kind `magic`.
fn decode(path: &Path, mut file: impl BufRead, length: u64, magic: u32) -> Result<(Header, Bytes)> {
    let io = |error| Error::io("read", path, error);
    if file.fill_buf().map_err(io)?.starts_with(&gzip::MAGIC) {
        return inflate(path, file, length, magic);
    }
    let mut head = Vec::with_capacity(MAX_HEADER);
    file.by_ref().take(Header::length(magic) as u64).read_to_end(&mut head).map_err(io)?;
    let header = Header::parse(path, &head, magic)?;
    header.check_length(path, length)?;
    let elements = read_most(file, header.elements).map_err(io)?;
    header.check_length(path, (header.length + elements.len()) as u64)?; // it may have shrunk meanwhile
    Ok((header, elements.into()))
}

/// The next `length` bytes of a file, or fewer where it ends before; no memory for them is an error and not the end of the
/// process.
fn read_most(file: impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let reserved = bytes.try_reserve_exact(length);
    reserved.map_err(|error| io::Error::new(io::ErrorKind::OutOfMemory, error))?;
    file.take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Decodes a gzipped file of `length` bytes.
fn inflate(path: &Path, mut file: impl BufRead, length: u64, magic: u32) -> Result<(Header, Bytes)> {
    let io = |error| Error::io("read", path, error);
    // From what has been read of the file so far, so that nothing of it is taken.
    let begin = Inflate::new(path, file.fill_buf().map_err(io)?, length);
    match begin.and_then(|mut begin| inflate_header(path, &mut begin, magic)) {
        // A file much longer than what it holds is none that should be in memory whole.
        Ok(header) if length / 2 <= (header.length + header.elements) as u64 => {
            let whole = read_most(file, length as usize).map_err(io)?;
            match gzip::inflate_whole(&whole, header.length + header.elements) {
                Some(data) => {
                    let elements = Bytes::from(data).slice(header.length..);
                    Ok((header, elements))
                }
                None => inflate_stream(path, whole.as_slice(), length, magic),
            }
        }
        _ => inflate_stream(path, file, length, magic),
    }
}

/// Decodes a gzipped file of `length` bytes piece by piece: slower, but it knows where something is wrong.
fn inflate_stream(path: &Path, file: impl BufRead, length: u64, magic: u32) -> Result<(Header, Bytes)> {
    let mut inflate = Inflate::new(path, file, length)?;
    let header = inflate_header(path, &mut inflate, magic)?;
    let elements = inflate.take(header.elements)?;
    inflate.finish()?;
    Ok((header, elements.into()))
}

/// The header of a gzipped file, which must not promise more than there can be.
fn inflate_header<R: BufRead>(path: &Path, inflate: &mut Inflate<'_, R>, magic: u32) -> Result<Header> {
    let mut head = [0; MAX_HEADER];
    let got = inflate.fill(&mut head[..Header::length(magic)])?;
    let header = Header::parse(path, &head[..got], magic)?;
    if header.elements as u64 > inflate.most_bytes() {
        let found = format!("a header that promises {} bytes", header.elements);
        let expected =
            format!("at most {}, all that {} gzipped bytes can hold", inflate.most_bytes(), inflate.length());
        return Err(super::format_error(path, 4, found, expected));
    }
    Ok(header)
}
