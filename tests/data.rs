//! Data files as they are met on disks: good ones, damaged ones, and ones that lie about their size.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests too")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder, write::GzEncoder};
use gpu_train::Error;
use gpu_train::data::idx::{decode_images, encode_images, encode_labels, read_images, read_labels};
use gpu_train::data::{Dataset, FILES, data_folder};
use tempfile::TempDir;

/// The system's allocator, which remembers each thread's largest request.
struct Watched;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn watch(size: usize) {
    LARGEST.with(|largest| largest.set(largest.get().max(size)));
}

// SAFETY: every call goes to the system's allocator unchanged; the note taken of it does not allocate.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        watch(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        watch(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        watch(size);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// The largest request that `work` made of the allocator on this thread, in bytes.
fn largest_allocation(work: impl FnOnce()) -> usize {
    LARGEST.with(|largest| largest.set(0));
    work();
    LARGEST.with(Cell::get)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The pixels of `count` images of 3 x 5, each of them different.
fn pixels(count: usize) -> Vec<u8> {
    (0..count * 15).map(|i| (i * i % 251) as u8).collect()
}

fn images(count: usize) -> Vec<u8> {
    encode_images(&pixels(count), 3, 5).unwrap()
}

/// An IDX header with these words and `rest` after it.
fn idx(words: &[u32], rest: &[u8]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).chain(rest.iter().copied()).collect()
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// A set with these labels; the training files are gzipped.
    fn set(train: &[u8], test: &[u8]) -> Self {
        let folder = Self::new();
        folder.write("train-images-idx3-ubyte.gz", &gzip(&images(train.len())));
        folder.write("train-labels-idx1-ubyte.gz", &gzip(&encode_labels(train).unwrap()));
        folder.write("t10k-images-idx3-ubyte", &images(test.len()));
        folder.write("t10k-labels-idx1-ubyte", &encode_labels(test).unwrap());
        folder
    }

    fn open(&self) -> gpu_train::Result<Dataset> {
        Dataset::open(self.path().to_str().unwrap(), None)
    }
}

/// Checks that `bytes` are refused as images, at `offset`, with these words, both as they are and gzipped.
#[track_caller]
fn refused(bytes: &[u8], offset: u64, found: &str, expected: &str) {
    let folder = Folder::new();
    let plain = folder.write("plain", bytes);
    let zipped = folder.write("zipped", &gzip(bytes));
    for path in [&plain, &zipped] {
        let error = read_images(path).unwrap_err();
        assert!(
            matches!(&error, Error::Format { path: named, offset: at, .. } if named == path && *at == offset),
            "{error}"
        );
        let text = error.to_string();
        let start = format!("{}: at byte {offset}: found ", path.display());
        assert!(text.starts_with(&start) && !text.contains('\n'), "{text}");
        let (was, wanted) = text[start.len()..].split_once(", expected ").unwrap();
        assert!(was.contains(found) && wanted.contains(expected), "{text}");
    }
    assert!(decode_images(&plain, bytes).is_err());
}

/// The offset and the text of the format error that these bytes, taken as images, give.
#[track_caller]
fn format_error(bytes: &[u8]) -> (u64, String) {
    let folder = Folder::new();
    match read_images(&folder.write("images", bytes)).unwrap_err() {
        Error::Format { offset, found, expected, .. } => (offset, format!("{found} / {expected}")),
        other => panic!("{other}"),
    }
}

#[test]
fn content_and_not_the_name_says_what_is_gzipped() {
    let folder = Folder::new();
    for (name, bytes) in [("a", gzip(&images(7))), ("b.gz", images(7)), ("c.gz", gzip(&images(7))), ("d", images(7))] {
        let read = read_images(&folder.write(name, &bytes)).unwrap();
        assert_eq!((read.count, read.rows, read.columns), (7, 3, 5), "{name}");
        assert_eq!(read.pixels, pixels(7), "{name}");
    }
    let labels = encode_labels(&[3, 255, 0]).unwrap();
    assert_eq!(read_labels(&folder.write("plain", &labels)).unwrap(), [3, 255, 0]);
    assert_eq!(read_labels(&folder.write("zipped", &gzip(&labels))).unwrap(), [3, 255, 0]);
}

#[test]
fn large_files_are_inflated_in_pieces_without_a_seam() {
    // More than two of the reader's pieces, and not a whole number of them.
    let many = (2 << 20) / 15 + 1234;
    let read = read_images(&Folder::new().write("images", &gzip(&images(many)))).unwrap();
    assert!(read.pixels == pixels(many), "the pixels differ");
    let cut = gzip(&images(many));
    let (offset, text) = format_error(&cut[..cut.len() / 4 * 3]);
    assert!(offset > 1 << 20 && text.contains("truncated"), "{offset} {text}");
}

#[test]
fn optional_gzip_header_fields_are_skipped() {
    let builder = GzBuilder::new().filename("name").comment("a comment").extra(vec![1, 2, 3]).mtime(1);
    let mut writer = builder.write(Vec::new(), Compression::best());
    writer.write_all(&images(7)).unwrap();
    let mut file = writer.finish().unwrap();
    assert_eq!(decode_images(Path::new("x"), &file).unwrap().pixels, pixels(7));
    let whole = file.clone();
    for length in 2..30 {
        assert!(decode_images(Path::new("x"), &whole[..length]).is_err(), "{length}");
    }
    file[3] |= 0x80;
    assert!(format_error(&file).1.contains("flags"));
    let mut file = gzip(&images(7));
    file[2] = 7;
    assert_eq!(format_error(&file), (2, "compression method 7 / 8 (deflate)".into()));
}

#[test]
fn wrong_headers_are_refused() {
    refused(&idx(&[0x0801, 1], &[0; 16]), 0, "0x00000801 (labels)", "0x00000803 (images)");
    refused(&idx(&[0xdead_beef, 1, 3, 5], &[0; 15]), 0, "0xdeadbeef", "0x00000803 (images)");
    refused(&[], 0, "an empty file", "a header of 16 bytes");
    refused(&[0, 0], 2, "the end of the file", "a header of 16 bytes");
    refused(&images(1)[..11], 11, "the end of the file", "a header of 16 bytes");
    refused(&idx(&[0x0803, 0, 3, 5], &[]), 4, "0 images", "at least 1");
    refused(&idx(&[0x0803, 1, 0, 5], &[]), 8, "0 rows", "at least 1");
    refused(&idx(&[0x0803, 1, 3, 0], &[]), 12, "0 columns", "at least 1");
}

#[test]
fn lengths_that_differ_from_the_header_are_refused() {
    let folder = Folder::new();
    let whole = images(7);
    let mut longer = whole.clone();
    longer.push(0);
    assert_eq!(format_error(&whole[..50]).0, 50);
    assert!(format_error(&whole[..50]).1.contains("truncated"));
    assert_eq!(format_error(&longer), (121, "more bytes / 121 bytes in all, as the header says".into()));
    // Gzipped whole, with too few or too many bytes in it.
    assert_eq!(format_error(&gzip(&whole[..50])), (50, "the end of the data / 71 more bytes".into()));
    assert_eq!(format_error(&gzip(&longer)), (121, "more bytes / the end of the data".into()));
    assert!(read_images(&folder.write("whole", &whole)).is_ok());
}

#[test]
fn damaged_gzip_is_refused() {
    let whole = gzip(&images(7));
    for length in 2..whole.len() {
        let (_, text) = format_error(&whole[..length]);
        assert!(text.contains("end of the file") || text.contains("empty"), "{length}: {text}");
    }
    let trailer = whole.len() - 8;
    let mut damaged = whole.clone();
    damaged[trailer] ^= 1;
    let (offset, text) = format_error(&damaged);
    assert!(offset == 121 && text.contains("data of CRC-32") && text.contains("as the file says"), "{offset} {text}");
    let mut damaged = whole.clone();
    damaged[trailer + 4] ^= 1;
    assert_eq!(format_error(&damaged), (121, "121 bytes / 120 bytes as the gzip trailer says".into()));
    let mut longer = whole.clone();
    longer.extend([0; 3]);
    assert_eq!(format_error(&longer), (121, "more bytes after the gzip trailer / the end of the file".into()));
    // Wherever a bit of the data flips, it is noticed or, as the padding before the trailer, it makes no difference.
    let mut unnoticed = 0;
    for at in 10..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        if let Ok(read) = decode_images(Path::new("x"), &damaged) {
            assert_eq!(read.pixels, pixels(7), "byte {at}");
            unnoticed += 1;
        }
    }
    assert!(unnoticed <= 2, "{unnoticed} of {} bytes", whole.len());
}

#[test]
fn absurd_headers_cost_nothing() {
    let max = u32::MAX;
    for sizes in [[max, max, max], [max, 1, 1], [1 << 20, 64, 64], [max, max, 1], [1, max, max]] {
        let file = idx(&[0x0803, sizes[0], sizes[1], sizes[2]], &[0; 84]);
        for file in [file.clone(), gzip(&file)] {
            let folder = Folder::new();
            let path = folder.write("images", &file);
            let largest = largest_allocation(|| assert!(matches!(read_images(&path), Err(Error::Format { .. }))));
            assert!(largest <= 1 << 18, "{sizes:?}: {largest} bytes at once");
        }
    }
    refused(&idx(&[0x0803, max, max, max], &[0; 84]), 8, "4294967295", "fits in memory");
    let (offset, text) = format_error(&gzip(&idx(&[0x0803, max, 1, 1], &[0; 84])));
    assert!(offset == 4 && text.contains("promises 4294967295 bytes") && text.contains("can hold"), "{offset} {text}");
    // The measure itself works: a whole file does need its size.
    let file = images(100_000);
    let largest = largest_allocation(|| assert!(decode_images(Path::new("x"), &file).is_ok()));
    assert_eq!(largest, 1_500_000);
}

#[test]
fn a_folder_in_place_of_a_file_is_told() {
    let folder = Folder::set(&[0, 1], &[1]);
    let path = folder.path().join("train-images-idx3-ubyte");
    fs::create_dir(&path).unwrap();
    let error = folder.open().unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read {}: it is a folder", path.display()));
    let gone = read_images(&folder.path().join("nothing")).unwrap_err();
    assert!(matches!(gone, Error::Io { .. }), "{gone}");
}

#[test]
fn a_set_is_read_from_its_folder() {
    let folder = Folder::set(&[0, 1, 2, 1], &[2, 0]);
    let set = folder.open().unwrap();
    assert_eq!((set.train().len(), set.test().len(), set.classes()), (4, 2, 3));
    assert_eq!((set.train().labels(), set.test().labels()), (&[0, 1, 2, 1][..], &[2, 0][..]));
    assert_eq!((set.train().images(), set.test().images()), (&pixels(4)[..], &pixels(2)[..]));
    assert_eq!(set.name(), folder.path().to_str().unwrap());
    // A plain file wins over a gzipped one.
    folder.write("train-labels-idx1-ubyte", &encode_labels(&[1, 1, 0, 2]).unwrap());
    assert_eq!(folder.open().unwrap().train().labels(), [1, 1, 0, 2]);
}

#[test]
fn files_that_do_not_belong_together_are_told() {
    let text = |folder: &Folder| folder.open().unwrap_err().to_string();
    let folder = Folder::set(&[0, 1, 2], &[0]);
    folder.write("train-labels-idx1-ubyte", &encode_labels(&[0, 1]).unwrap());
    assert!(text(&folder).ends_with("3 training images but 2 training labels"), "{}", text(&folder));
    let folder = Folder::set(&[0, 1, 2], &[0]);
    folder.write("t10k-images-idx3-ubyte", &encode_images(&[0; 16], 4, 4).unwrap());
    assert!(text(&folder).ends_with("training images are 3 x 5, test images 4 x 4"), "{}", text(&folder));
    assert!(text(&Folder::set(&[0, 255], &[0])).contains("the label 1-254"));
    assert!(text(&Folder::set(&[0, 1, 3], &[0])).contains("the label 2"));
    assert!(text(&Folder::set(&[0, 1], &[2])).contains("a test label is 2, but there are 2 classes"));
    // With a model, its outputs decide.
    let folder = Folder::set(&[0, 3], &[2]);
    let open = |classes| Dataset::open_with_classes(folder.path().to_str().unwrap(), None, classes);
    assert_eq!(open(10).unwrap().classes(), 10);
    let error = open(3).unwrap_err();
    assert!(error.to_string().contains("a training label is 3, but there are 3 classes"), "{error}");
    assert!(error.hint().unwrap().contains("3 outputs"));
}

#[test]
fn a_set_that_is_not_there_is_told_with_its_source() {
    let data = Folder::new();
    for (name, source) in [("mnist", "cvdf-datasets/mnist"), ("fashion-mnist", "fashion-mnist.s3-website")] {
        let error = Dataset::open(name, Some(data.path())).unwrap_err();
        let Error::MissingDataset { files, folder, hint, .. } = &error else { panic!("{error}") };
        assert_eq!((files, folder), (&FILES.map(String::from).to_vec(), &data.path().join(name)));
        for part in [source, "--data-dir", "GPU_TRAIN_DATA_DIR", "--dataset digits"] {
            assert!(hint.contains(part), "{hint}");
        }
    }
    let folder = Folder::set(&[0, 1], &[0]);
    fs::remove_file(folder.path().join("t10k-labels-idx1-ubyte")).unwrap();
    let error = folder.open().unwrap_err();
    assert!(matches!(&error, Error::MissingDataset { files, .. } if files == &["t10k-labels-idx1-ubyte"]), "{error}");

    let error = Dataset::open("mnits", Some(data.path())).unwrap_err();
    assert_eq!(error.to_string(), "data set mnits: no such name and no such folder");
    assert!(["digits", "mnist", "fashion-mnist", "folder"].iter().all(|name| error.hint().unwrap().contains(name)));
    let file = data.write("file", b"");
    let error = Dataset::open(file.to_str().unwrap(), None).unwrap_err();
    assert!(error.to_string().ends_with("it is a file, not a folder"), "{error}");
    assert_eq!(data_folder(Some(data.path())).unwrap(), data.path());
}

#[test]
fn the_embedded_digits() {
    let set = Dataset::open("digits", None).unwrap();
    assert_eq!((set.classes(), set.train().rows(), set.train().columns()), (10, 28, 28));
    assert!(set.train().len() >= 10_000 && set.test().len() >= 2_000, "{} {}", set.train().len(), set.test().len());
    one_hot_rows_are_the_labels(&set);
    for split in [set.train(), set.test()] {
        let counts = split.class_counts(10);
        let even = split.len() / 10;
        assert!(counts.iter().all(|&count| count.abs_diff(even) < even / 2), "{counts:?}");
        let mut distinct: Vec<&[u8]> = (0..split.len()).map(|index| split.image(index)).collect();
        distinct.sort_unstable();
        distinct.dedup();
        assert!(distinct.len() > split.len() * 9 / 10, "only {} different images", distinct.len());
    }
}

fn one_hot_rows_are_the_labels(set: &Dataset) {
    let one_hot = set.train().one_hot(set.classes());
    assert_eq!(one_hot.len(), set.train().len() * set.classes());
    for (row, &label) in one_hot.chunks(set.classes()).zip(set.train().labels()) {
        assert!(row.iter().sum::<f32>() == 1.0 && row[usize::from(label)] == 1.0, "{label}: {row:?}");
    }
}

/// The folder that holds MNIST where it is at hand: it is not ours to ship.
fn mnist_folder() -> Option<PathBuf> {
    let named = std::env::var_os("GPU_TRAIN_DATA_DIR").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    named.into_iter().chain([beside]).find(|folder| folder.join("mnist").is_dir())
}

#[test]
fn mnist_is_what_it_is_known_to_be() {
    let Some(folder) = mnist_folder() else {
        eprintln!("MNIST is not at hand (GPU_TRAIN_DATA_DIR): the embedded digits stand in for it");
        return the_embedded_digits();
    };
    let set = Dataset::open("mnist", Some(&folder)).unwrap();
    let train = set.train();
    assert_eq!((train.len(), train.features(), set.test().len(), set.classes()), (60_000, 784, 10_000, 10));
    let pixels = train.images();
    let mean = pixels.iter().map(|&pixel| f64::from(pixel)).sum::<f64>() / pixels.len() as f64 / 255.0;
    let zeros = pixels.iter().filter(|&&pixel| pixel == 0).count() as f64 / pixels.len() as f64;
    // The known values have six and four digits.
    assert!((mean - 0.130_660).abs() < 5e-7, "{mean}");
    assert!((zeros - 0.8088).abs() < 5e-5, "{zeros}");
    assert_eq!(train.class_counts(10), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    assert_eq!(set.test().class_counts(10), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    assert_eq!(&train.labels()[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    one_hot_rows_are_the_labels(&set);
}
