//! What the Rust peers share, as `peer.py` does for those in Python: the command line, MNIST, the first weights, the batches, timing and
//! the evaluation of what was learnt.
//!
//!     burn train --device flex --data DATA_DIR --network 784-50-10 --batch 100 --activation sigmoid --steps 1000 --rate 0.1
//!     burn start ...    (one step; prints when it ended, in Unix time)
//!     burn matmul --device wgpu --size 1024

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Steps before those that are timed.
const WARM_UP: usize = 20;
const MATMUL_SECONDS: f64 = 2.0;

/// The command line: a task, then `--name value`.
pub struct Options {
    pub task: String,
    values: HashMap<String, String>,
}

impl Options {
    pub fn parse() -> Result<Self> {
        let mut words = std::env::args().skip(1);
        let task = words.next().ok_or("train, start or matmul?")?;
        let mut values = HashMap::new();
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} wants a value"))?;
            values.insert(name.trim_start_matches('-').to_string(), value);
        }
        Ok(Self { task, values })
    }

    pub fn text(&self, name: &str, default: &str) -> String {
        self.values.get(name).cloned().unwrap_or_else(|| default.to_string())
    }

    pub fn number<T: std::str::FromStr>(&self, name: &str, default: &str) -> Result<T> {
        self.text(name, default).parse().map_err(|_| format!("--{name} wants a number").into())
    }
}

/// A weight [inputs, outputs], row-major, and its bias [outputs].
pub type Layer = (Vec<f32>, Vec<f32>);

/// A split of MNIST: pixels [samples, 784] of 0 to 1, labels.
pub struct Split {
    pub images: Vec<f32>,
    pub labels: Vec<u8>,
}

impl Split {
    pub fn load(folder: &str, name: &str) -> Result<Self> {
        let read = |kind: &str, header: usize| -> Result<Vec<u8>> {
            let mut bytes = Vec::new();
            let path = Path::new(folder).join("mnist").join(format!("{name}-{kind}-ubyte.gz"));
            flate2::read::GzDecoder::new(File::open(path)?).read_to_end(&mut bytes)?;
            Ok(bytes.split_off(header))
        };
        let images = read("images-idx3", 16)?.into_iter().map(|pixel| f32::from(pixel) / 255.0).collect();
        Ok(Self { images, labels: read("labels-idx1", 8)? })
    }
}

/// xorshift64*: which batches and first weights are drawn does not matter here.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f32 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        (radius * (std::f64::consts::TAU * self.uniform()).cos()) as f32
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 33) as usize % end
    }
}

/// What is to be trained, and on what.
pub struct Problem {
    pub sizes: Vec<usize>,
    pub batch: usize,
    pub relu: bool,
    pub rate: f32,
    pub steps: usize,
    pub first: Vec<Layer>,
    train: Split,
    random: Random,
}

impl Problem {
    fn new(options: &Options) -> Result<Self> {
        let network = options.text("network", "784-50-10");
        let sizes = network.split('-').map(str::parse).collect::<std::result::Result<Vec<usize>, _>>()?;
        let mut random = Random::new(options.number("seed", "42")?);
        // gpu-train's --init normal:0.01 for the textbook's network, xavier for deeper ones
        let deviation = |a: usize, b: usize| if sizes.len() == 3 { 0.01 } else { (2.0 / (a + b) as f32).sqrt() };
        let first = sizes
            .windows(2)
            .map(|pair| {
                let weight = (0..pair[0] * pair[1]).map(|_| deviation(pair[0], pair[1]) * random.normal()).collect();
                (weight, vec![0.0; pair[1]])
            })
            .collect();
        Ok(Self {
            batch: options.number("batch", "100")?,
            relu: options.text("activation", "sigmoid") == "relu",
            rate: options.number("rate", "0.1")?,
            steps: options.number("steps", "1000")?,
            train: Split::load(&options.text("data", "."), "train")?,
            sizes,
            first,
            random,
        })
    }

    /// The next batch: images [batch, 784] and one-hot targets [batch, 10].
    pub fn draw(&mut self) -> (Vec<f32>, Vec<f32>) {
        let (inputs, classes) = (self.sizes[0], self.sizes[self.sizes.len() - 1]);
        let mut images = Vec::with_capacity(self.batch * inputs);
        let mut targets = vec![0.0; self.batch * classes];
        for row in 0..self.batch {
            let sample = self.random.below(self.train.labels.len());
            images.extend_from_slice(&self.train.images[sample * inputs..(sample + 1) * inputs]);
            targets[row * classes + usize::from(self.train.labels[sample])] = 1.0;
        }
        (images, targets)
    }
}

/// Mean cross entropy and share of right answers, in plain loops.
fn evaluate(layers: &[Layer], relu: bool, split: &Split) -> (f64, f64) {
    let inputs = layers[0].0.len() / layers[0].1.len();
    let (mut loss, mut right) = (0.0, 0);
    for (image, &label) in split.images.chunks(inputs).zip(&split.labels) {
        let mut x = image.to_vec();
        for (number, (weight, bias)) in layers.iter().enumerate() {
            let mut y = bias.clone();
            for (value, row) in x.iter().zip(weight.chunks(bias.len())) {
                y.iter_mut().zip(row).for_each(|(y, w)| *y += value * w);
            }
            if number + 1 < layers.len() {
                y.iter_mut().for_each(|y| *y = if relu { y.max(0.0) } else { 1.0 / (1.0 + (-*y).exp()) });
            }
            x = y;
        }
        let largest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = x.iter().map(|&y| f64::from(y - largest).exp()).sum();
        loss += sum.ln() - f64::from(x[usize::from(label)] - largest);
        right += usize::from(x.iter().position(|&y| y == largest) == Some(usize::from(label)));
    }
    let samples = split.labels.len() as f64;
    (loss / samples, right as f64 / samples)
}

/// Of this process, all threads.
fn processor_seconds() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // utime and stime, in hundredths of a second on Linux
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}

/// What a peer can do.
pub trait Peer {
    fn version(&self) -> String;
    /// Trains `steps` from the problem's first weights and hands back the trained ones when all is done.
    fn train(&self, problem: &mut Problem, steps: usize) -> Result<Vec<Layer>>;
    /// A call that multiplies `a` and `b`, both [size, size], and returns when the product is there; the product where asked.
    fn matmul(&self, a: Vec<f32>, b: Vec<f32>, size: usize) -> Result<Box<dyn FnMut(bool) -> Result<Vec<f32>>>>;
}

/// Does the task and prints one JSON object.
pub fn run(options: &Options, peer: &dyn Peer) -> Result<()> {
    if options.task == "matmul" {
        return matmul(options, peer);
    }
    let mut problem = Problem::new(options)?;
    if options.task == "start" {
        peer.train(&mut problem, 1)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
        println!("{}", json!({ "first_step_at": now, "version": peer.version() }));
        return Ok(());
    }
    peer.train(&mut problem, WARM_UP)?;
    let (begun, processor) = (Instant::now(), processor_seconds()?);
    let steps = problem.steps;
    let layers = peer.train(&mut problem, steps)?;
    let (seconds, processor) = (begun.elapsed().as_secs_f64(), processor_seconds()? - processor);
    let (loss, accuracy) = evaluate(&layers, problem.relu, &Split::load(&options.text("data", "."), "t10k")?);
    println!(
        "{}",
        json!({
            "steps_per_second": steps as f64 / seconds, "steps_per_processor_second": steps as f64 / processor,
            "test_loss": loss, "test_accuracy": accuracy, "version": peer.version(),
        })
    );
    Ok(())
}

fn matmul(options: &Options, peer: &dyn Peer) -> Result<()> {
    let size: usize = options.number("size", "1024")?;
    let mut random = Random::new(options.number("seed", "42")?);
    let mut draw = || (0..size * size).map(|_| random.normal()).collect::<Vec<f32>>();
    let (a, b) = (draw(), draw());
    let mut call = peer.matmul(a.clone(), b.clone(), size)?;
    let product = call(true)?;
    let mut error = 0.0_f64;
    // rows of a prime's distance, against float64
    for row in (0..size).step_by(97) {
        for column in (0..size).step_by(89) {
            let exact: f64 = (0..size).map(|k| f64::from(a[row * size + k]) * f64::from(b[k * size + column])).sum();
            error = error.max((exact - f64::from(product[row * size + column])).abs());
        }
    }
    for _ in 0..3 {
        call(false)?;
    }
    let mut times = Vec::new();
    let end = Instant::now() + Duration::from_secs_f64(MATMUL_SECONDS);
    while Instant::now() < end || times.len() < 5 {
        let begun = Instant::now();
        call(false)?;
        times.push(begun.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let gflops = 2.0 * (size as f64).powi(3) / times[times.len() / 2] / 1e9;
    println!("{}", json!({ "gflops": gflops, "error": error, "version": peer.version() }));
    Ok(())
}
