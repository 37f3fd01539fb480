//! Files to bytes, and bytes to batches.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::case::{Case, Work};
use super::draw::images;
use super::elements::gather;
use super::reference::wrong;
use super::timing::Stopwatch;
use super::{Options, Suite};
use crate::Error;
use crate::backend::Backend;
use crate::data::idx::{encode_images, read_images};

/// As many as MNIST has, and fewer.
const IMAGES: usize = 60_000;
const IMAGES_QUICK: usize = 10_000;
/// Rows and columns of an image.
const SIDE: usize = 28;

pub(super) fn cases(options: &Options) -> Vec<Case> {
    let count = if options.quick { IMAGES_QUICK } else { IMAGES };
    let mut cases = vec![file("idx", count, false), file("idx gzip", count, true)];
    cases.extend([100, 1024].map(|batch| gather(Suite::Data, count, batch, options.seed)));
    cases
}

/// A file of images that are nowhere equal within the reach of a compressor's window, read until its bytes are in memory.
/// The system has the file in its cache: what is timed is the reading, not the disk.
fn file(name: &'static str, count: usize, zipped: bool) -> Case {
    // No ceiling of the device: it is the host that reads.
    let work = Work::default();
    let time = move |backend: &mut dyn Backend, stopwatch: &Stopwatch<'_>| {
        let (pixels, _) = images(count)?;
        let file = encode_images(&pixels, SIDE, SIDE)?;
        let folder = tempfile::tempdir().map_err(|error| Error::io("create", std::env::temp_dir(), error))?;
        let path = folder.path().join(if zipped { "images.gz" } else { "images" });
        write(&path, &file, zipped).map_err(|error| Error::io("write", &path, error))?;
        stopwatch.check()?;
        let read = read_images(&path)?.pixels;
        if let Some(place) = (0..pixels.len()).find(|&place| read.get(place) != Some(&pixels[place])) {
            let got = read.get(place).map_or(f64::NAN, |&byte| byte.into());
            return Err(wrong(backend, name, got, pixels[place].into()));
        }
        stopwatch.time(backend, &mut |_, times| {
            (0..times).try_for_each(|_| read_images(&path).map(|images| drop(std::hint::black_box(images))))
        })
    };
    Case::new(Suite::Data, name, format!("{count} images"), work, time)
}

fn write(path: &Path, bytes: &[u8], zipped: bool) -> std::io::Result<()> {
    let file = std::fs::File::create(path)?;
    if !zipped {
        return (&file).write_all(bytes);
    }
    let mut encoder = GzEncoder::new(file, Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish().map(drop)
}
