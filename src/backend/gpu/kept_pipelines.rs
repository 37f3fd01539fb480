//! Kernels that an adapter's driver compiled, kept across starts in the user's cache folder: one file for each adapter
//! with its driver.
//!
//! Only drivers of Vulkan hand theirs out, and some keep them on their own as well. A file that is damaged, or of another
//! adapter, driver or version of this crate, is as good as none; that none can be written is nobody's trouble.

use std::io;
use std::path::{Path, PathBuf};

use flate2::Crc;

use super::context::Context;
use crate::backend::tuning::Identity;
use crate::cache;
use crate::device::AdapterSummary;

/// What wgpu asks of a device for it.
pub(super) const FEATURE: wgpu::Features = wgpu::Features::PIPELINE_CACHE;

const MAGIC: [u8; 4] = *b"gtpl";

/// Magic number and checksum.
const HEADER: usize = 8;

/// Larger than all kernels for all networks that somebody trains; drivers only ever add to theirs, so a file beyond it is
/// begun anew.
const MOST_BYTES: u64 = 16 << 20;

/// What drivers without anything to keep hand out: two headers.
const EMPTY: usize = 512;

/// Where the kernels of an adapter are kept; `None` where this user has no folder for it.
pub(super) fn path(adapter: &AdapterSummary) -> Option<PathBuf> {
    Some(cache::folder()?.join(Identity::of(adapter).file_name("pipelines", "bin")))
}

/// Compiled kernels: those of earlier starts, and those that are made with it.
pub(super) struct KeptPipelines {
    file: PathBuf,
    cache: wgpu::PipelineCache,
    /// Of what the file held.
    checksum: Option<u32>,
}

impl KeptPipelines {
    /// Takes what a file holds for this adapter. `None` where its driver hands nothing out, or will not take anything.
    pub(super) fn open(context: &Context, file: PathBuf) -> Option<Self> {
        if !context.device.features().contains(FEATURE) {
            return None;
        }
        let kept = read(&file);
        let cache = context.create(
            || "taking compiled kernels from the cache".into(),
            || {
                let descriptor = wgpu::PipelineCacheDescriptor {
                    label: Some("gpu-train.pipelines"),
                    data: kept.as_deref(),
                    // What wgpu or the driver do not take, they make anew.
                    fallback: true,
                };
                // SAFETY: the data are those that `PipelineCache::get_data` gave for this adapter, driver and version of
                // this crate, as the file's name and checksum say; the folder is the user's own.
                unsafe { context.device.create_pipeline_cache(&descriptor) }
            },
        );
        match cache {
            Ok(cache) => Some(Self { file, cache, checksum: kept.as_deref().map(checksum) }),
            Err(error) => {
                log::debug!("kernels are not kept: {error}");
                None
            }
        }
    }

    pub(super) fn cache(&self) -> &wgpu::PipelineCache {
        &self.cache
    }

    /// Writes all of them, where they are others than the file held.
    pub(super) fn keep(&self, context: &Context) {
        let data = context.attempt(|| "keeping compiled kernels".into(), || self.cache.get_data()).ok().flatten();
        let Some(data) = data.filter(|data| data.len() > EMPTY) else { return };
        if self.checksum == Some(checksum(&data)) {
            return;
        }
        if let Err(error) = write(&self.file, &data) {
            log::debug!("compiled kernels are not kept in {}: {error}", self.file.display());
        }
    }
}

fn checksum(data: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(data);
    crc.sum()
}

/// What a file holds, where it is whole.
fn read(file: &Path) -> Option<Vec<u8>> {
    let mut bytes = cache::read(file, MOST_BYTES)?;
    if bytes.len() < HEADER {
        return None;
    }
    let data = bytes.split_off(HEADER);
    (bytes == header(&data)).then_some(data)
}

fn header(data: &[u8]) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..MAGIC.len()].copy_from_slice(&MAGIC);
    header[MAGIC.len()..].copy_from_slice(&checksum(data).to_le_bytes());
    header
}

fn write(file: &Path, data: &[u8]) -> io::Result<()> {
    cache::write(file, |out| {
        out.write_all(&header(data))?;
        out.write_all(data)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_kept_comes_back_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/er/pipelines.bin");
        assert_eq!(read(&file), None);
        assert_eq!(read(folder.path()), None, "a folder is no file");
        let data: Vec<u8> = (0..10_000_u32).map(|n| ((n * n) >> 3) as u8).collect();
        write(&file, &data).unwrap();
        assert_eq!(read(&file).as_ref(), Some(&data));
        let whole = fs::read(&file).unwrap();
        let with = |place: usize, byte: u8| [&whole[..place], &[byte], &whole[place + 1..]].concat();
        for damaged in [
            Vec::new(),
            whole[..HEADER - 1].to_vec(),
            whole[..whole.len() - 1].to_vec(),
            [whole.as_slice(), &[0]].concat(),
            with(0, whole[0] ^ 1),
            with(HEADER - 1, whole[HEADER - 1] ^ 1),
            with(whole.len() / 2, whole[whole.len() / 2] ^ 0x80),
        ] {
            fs::write(&file, &damaged).unwrap();
            assert_eq!(read(&file), None, "{} bytes", damaged.len());
        }
        // Grown beyond all measure: begun anew.
        write(&file, &vec![7; MOST_BYTES as usize]).unwrap();
        assert_eq!(read(&file), None);
        write(&file, &data).unwrap();
        assert_eq!(read(&file), Some(data));
    }
}
