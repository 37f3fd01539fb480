//! What the peers in Rust share, as peer.py does for those in Python: their command line, MNIST, the first weights, the batches' indices, and the
//! evaluation of what they trained. See peer.py for the tasks and for what is printed.

use std::hint::black_box;
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rand_distr::StandardNormal;
use rustix::time::{ClockId, clock_gettime};

/// Of every layer, weights [inputs, outputs] and biases.
pub type Parameters = Vec<(Vec<f32>, Vec<f32>)>;

const MATMUL_SECONDS: Duration = Duration::from_secs(2);
const WARM_UP: usize = 20;

#[derive(Clone)]
pub struct Options {
    pub task: String,
    /// Only of a peer with several.
    pub device: String,
    pub data: String,
    /// Layer sizes, the inputs' first.
    pub network: Vec<usize>,
    pub batch: usize,
    pub relu: bool,
    pub steps: usize,
    pub rate: f32,
    pub seed: u64,
    pub size: usize,
}

impl Options {
    pub fn parse() -> Self {
        let mut arguments = std::env::args().skip(1);
        let mut options = Self {
            task: arguments.next().expect("train, start or matmul"),
            device: "cpu".into(),
            data: String::new(),
            network: vec![784, 50, 10],
            batch: 100,
            relu: false,
            steps: 1000,
            rate: 0.1,
            seed: 42,
            size: 1024,
        };
        while let Some(flag) = arguments.next() {
            let value = arguments.next().unwrap_or_else(|| panic!("{flag} wants a value"));
            match flag.as_str() {
                "--device" => options.device = value,
                "--data" => options.data = value,
                "--network" => {
                    options.network =
                        value.split('-').map(|size| size.parse().expect("sizes as in 784-50-10")).collect()
                }
                "--batch" => options.batch = value.parse().expect("a batch size"),
                "--activation" => {
                    options.relu = match value.as_str() {
                        "relu" => true,
                        "sigmoid" => false,
                        _ => panic!("no such activation: {value}"),
                    };
                }
                "--steps" => options.steps = value.parse().expect("a number of steps"),
                "--rate" => options.rate = value.parse().expect("a learning rate"),
                "--seed" => options.seed = value.parse().expect("a seed"),
                "--size" => options.size = value.parse().expect("a size"),
                _ => panic!("no such option: {flag}"),
            }
        }
        options
    }
}

/// What a peer gets: images [60000, 784] in float32 of 0 to 1, labels, and the first weights.
pub struct Problem {
    pub options: Options,
    pub images: Vec<f32>,
    pub labels: Vec<u8>,
    pub first: Parameters,
}

impl Problem {
    fn new(options: Options, random: &mut StdRng) -> Self {
        let (images, labels) = split(&options.data, "train");
        let first = options.network.windows(2).map(|pair| layer(&options, pair[0], pair[1], random)).collect();
        Self { options, images, labels, first }
    }

    fn indices(&self, random: &mut StdRng) -> Vec<u32> {
        let count = self.labels.len() as u32;
        (0..self.options.steps * self.options.batch).map(|_| random.random_range(0..count)).collect()
    }
}

/// First weights as gpu-train's `--init` draws them: normal:0.01 for the textbook's network, xavier for deeper ones.
fn layer(options: &Options, inputs: usize, outputs: usize, random: &mut StdRng) -> (Vec<f32>, Vec<f32>) {
    let deviation = if options.network.len() == 3 { 0.01 } else { (2.0 / (inputs + outputs) as f32).sqrt() };
    (normal(inputs * outputs, random).into_iter().map(|value| deviation * value).collect(), vec![0.0; outputs])
}

fn normal(count: usize, random: &mut StdRng) -> Vec<f32> {
    (0..count).map(|_| random.sample(StandardNormal)).collect()
}

/// The bytes of an idx file after its header.
fn idx(path: &Path) -> Vec<u8> {
    let file = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut data = Vec::new();
    flate2::read::GzDecoder::new(&file[..]).read_to_end(&mut data).expect("gzip");
    data.split_off(4 + 4 * usize::from(data[3]))
}

fn split(data: &str, name: &str) -> (Vec<f32>, Vec<u8>) {
    let name = if name == "train" { "train" } else { "t10k" };
    let folder = Path::new(data).join("mnist");
    let images = idx(&folder.join(format!("{name}-images-idx3-ubyte.gz")));
    (
        images.iter().map(|&byte| f32::from(byte) / 255.0).collect(),
        idx(&folder.join(format!("{name}-labels-idx1-ubyte.gz"))),
    )
}

/// [rows, inner] by [inner, columns], plainly.
fn product(a: &[f32], b: &[f32], inner: usize, columns: usize) -> Vec<f32> {
    let mut result = vec![0.0; a.len() / inner * columns];
    for (row, out) in a.chunks(inner).zip(result.chunks_mut(columns)) {
        for (&factor, line) in row.iter().zip(b.chunks(columns)) {
            for (sum, &value) in out.iter_mut().zip(line) {
                *sum += factor * value;
            }
        }
    }
    result
}

/// Mean cross entropy and share of right answers on the test split.
fn evaluate(options: &Options, parameters: &Parameters) -> (f64, f64) {
    let (mut x, labels) = split(&options.data, "test");
    for (number, (weight, bias)) in parameters.iter().enumerate() {
        x = product(&x, weight, weight.len() / bias.len(), bias.len());
        for (value, bias) in x.iter_mut().zip(bias.iter().cycle()) {
            *value += bias;
            if number + 1 < parameters.len() {
                *value = if options.relu { value.max(0.0) } else { 1.0 / (1.0 + (-*value).exp()) };
            }
        }
    }
    let (mut loss, mut right) = (0.0, 0.0);
    for (row, &label) in x.chunks(x.len() / labels.len()).zip(&labels) {
        let label = usize::from(label);
        let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = row.iter().map(|value| f64::from(value - most).exp()).sum();
        loss += sum.ln() - f64::from(row[label] - most);
        right += f64::from(u8::from(row.iter().position(|&value| value == most) == Some(label)));
    }
    (loss / labels.len() as f64, right / labels.len() as f64)
}

/// Of single calls, repeated for `MATMUL_SECONDS` after a warm-up.
fn median_seconds(mut call: impl FnMut()) -> f64 {
    (0..3).for_each(|_| call());
    let (mut times, begun) = (Vec::new(), Instant::now());
    while begun.elapsed() < MATMUL_SECONDS || times.len() < 5 {
        let begun = Instant::now();
        call();
        times.push(begun.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    (times[(times.len() - 1) / 2] + times[times.len() / 2]) / 2.0
}

fn processor_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// `name` with its version, as Cargo.lock has it.
fn version(name: &str, lock: &str) -> String {
    let after = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).expect("in Cargo.lock").1;
    after.split_once('"').expect("a version").0.to_owned()
}

/// `trainer` gives a function from indices, batch after batch, to parameters: it begins at the first weights on every call, and returns when all
/// is done. `multiply` gives one that multiplies two matrices [size, size] and returns when the product is there; it reads the product back if told to.
pub fn main<Run, Multiply>(
    options: &Options,
    label: &str,
    (name, lock): (&str, &str),
    trainer: impl FnOnce(&Problem) -> Run,
    multiply: impl FnOnce(usize, Vec<f32>, Vec<f32>) -> Multiply,
) where
    Run: FnMut(&[u32]) -> Parameters,
    Multiply: FnMut(bool) -> Option<Vec<f32>>,
{
    let version = format!("{name} {}{label}", version(name, lock));
    let mut random = StdRng::seed_from_u64(options.seed);
    if options.task == "matmul" {
        let size = options.size;
        let (a, b) = (normal(size * size, &mut random), normal(size * size, &mut random));
        let expected = product(&a, &b, size, size);
        let mut call = multiply(size, a, b);
        let found = call(true).expect("read back");
        let error = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let seconds = median_seconds(|| _ = black_box(call(false)));
        let gflops = 2.0 * (size as f64).powi(3) / seconds / 1e9;
        println!(r#"{{"gflops": {gflops}, "error": {error}, "version": "{version}"}}"#);
        return;
    }
    let start = options.task == "start";
    assert!(start || options.task == "train", "no such task: {}", options.task);
    let steps = if start { 1 } else { options.steps };
    let problem = Problem::new(Options { steps, ..options.clone() }, &mut random);
    let indices = problem.indices(&mut random);
    let mut run = trainer(&problem);
    if start {
        run(&indices);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
        println!(r#"{{"first_step_at": {now}, "version": "{version}"}}"#);
        return;
    }
    run(&indices[..options.batch * steps.min(WARM_UP)]);
    let (begun, processor) = (Instant::now(), processor_seconds());
    let parameters = run(&indices);
    let (seconds, processor) = (begun.elapsed().as_secs_f64(), processor_seconds() - processor);
    let (loss, accuracy) = evaluate(options, &parameters);
    let (rate, processor_rate) = (steps as f64 / seconds, steps as f64 / processor);
    println!(
        r#"{{"steps_per_second": {rate}, "steps_per_processor_second": {processor_rate}, "test_loss": {loss}, "test_accuracy": {accuracy}, "version": "{version}"}}"#
    );
}
