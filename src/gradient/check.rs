//! A gradient held to what it should be: the derivative by back-propagation, and the quotient itself, of parameters
//! drawn from each tensor, in float64.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use super::Difference;
use super::estimate::ErrorEstimate;
use super::incremental::incremental_quotients;
use super::literal::{LiteralOptions, literal_floor, literal_quotients};
use super::source::BatchSource;
use crate::network::{Network, TensorLayout};
use crate::{Error, Result};

/// What a gradient is checked against, and how sharply.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CheckOptions {
    /// The quotient that the gradient is said to be.
    pub difference: Difference,
    /// Its `h`.
    pub step_size: f32,
    /// Parameters of each tensor whose quotients are computed in float64.
    pub sampled: usize,
    /// Which of them are drawn.
    pub seed: u64,
    /// Threads of the float64 loop.
    pub threads: Option<usize>,
}

/// Where the float64 quotients of a tensor come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oracle {
    /// Full forward passes, subtracted.
    Literal,
    /// Changes in float64, since a literal quotient's own rounding is not small against the tolerance.
    Incremental,
}

impl Oracle {
    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Literal => "literal",
            Self::Incremental => "incremental",
        }
    }
}

/// What the check of one tensor found.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorCheck {
    /// The tensor.
    pub tensor: TensorLayout,
    /// The distance to the derivative, as a share of the derivative's norm.
    pub relative_error: f64,
    /// The largest distance of an element.
    pub max_abs_error: f64,
    /// Which element that is, `[unit, input]` or `[unit]` as in model files.
    pub worst_index: Vec<usize>,
    /// What the distance may be by the gradient's own estimate, as a share of the norm.
    pub estimate: f64,
    /// The distance of the sampled elements to the float64 quotients, as a share of what the norm gives so many.
    pub quotient_error: f64,
    /// Where those come from.
    pub oracle: Oracle,
    /// How many were sampled.
    pub sampled: usize,
    /// Whether both distances are small enough.
    pub passed: bool,
}

/// The largest distance to the float64 quotient, as a share of the norm, or four times what rounding is estimated to
/// be: a network that is sure of its answers loses more digits in its forward sums than that.
const QUOTIENT_TOLERANCE: f64 = 2e-6;

/// The distance to back-propagation may be so many times the estimate: both gradients are rounded, and truncation is
/// known to its leading power.
const PER_ESTIMATE: f64 = 4.0;

/// A literal quotient serves while its own rounding is below this share of the tolerance.
const FLOOR_SHARE: f64 = 0.25;

/// Holds a numerical gradient, with its estimates, to the derivative and to sampled float64 quotients.
///
/// ```
/// use gpu_train::backend::cpu::CpuBackend;
/// use gpu_train::gradient::{
///     BatchSource, CheckOptions, GradientOptions, Method, check_gradient, error_estimates, measured_gradient,
/// };
/// use gpu_train::network::{Activation, Architecture, Initialization, Network, OutputLoss};
///
/// let output = OutputLoss::CrossEntropy { epsilon: 1e-7 };
/// let architecture = Architecture::new(vec![3, 4, 2], Activation::Tanh, output)?;
/// let network = Network::initialized(architecture, Initialization::Xavier, 1);
/// let mut device = CpuBackend::new(None);
/// let source = BatchSource::Floats { inputs: &[0.1, -0.7, 0.9, 0.3, 0.2, -0.5], targets: &[1, 0] };
/// let options = GradientOptions::default();
/// let mut numerical = measured_gradient(&mut device, &network, &source, options, None)?.gradient;
/// let estimates = error_estimates(&mut device, &network, &source, options, &numerical)?;
/// let derivative = GradientOptions { method: Method::Backprop, ..options };
/// let derivative = measured_gradient(&mut device, &network, &source, derivative, None)?.gradient;
/// let how = CheckOptions::default();
/// let checks = check_gradient(&network, &source, &numerical, &estimates, &derivative, how)?;
/// assert!(checks.iter().all(|check| check.passed));
/// numerical[0] *= 1.001;
/// let checks = check_gradient(&network, &source, &numerical, &estimates, &derivative, how)?;
/// assert!(!checks[0].passed && checks[1].passed);
/// # Ok::<(), gpu_train::Error>(())
/// ```
///
/// # Errors
/// [`Error::Config`] for gradients, estimates or a batch that do not fit the network.
pub fn check_gradient(
    network: &Network,
    source: &BatchSource<'_>,
    gradient: &[f32],
    estimates: &[ErrorEstimate],
    derivative: &[f32],
    options: CheckOptions,
) -> Result<Vec<TensorCheck>> {
    let len = network.layout.len();
    if gradient.len() != len || derivative.len() != len || estimates.len() != network.layout.tensors().count() {
        let (gradient, derivative, estimates) = (gradient.len(), derivative.len(), estimates.len());
        return Err(Error::config(format!(
            "{gradient} and {derivative} elements and {estimates} estimates for a network of {len}"
        )));
    }
    let mut generator = Pcg64::seed_from_u64(options.seed ^ 0x6368_6563_6b20_6d65);
    network
        .layout
        .tensors()
        .zip(estimates)
        .map(|(tensor, estimate)| {
            let sample = sample(&tensor, options.sampled, &mut generator);
            check_tensor(network, source, gradient, estimate, derivative, options, tensor, &sample)
        })
        .collect()
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self { difference: Difference::Central, step_size: 1e-4, sampled: 20, seed: 42, threads: None }
    }
}

fn check_tensor(
    network: &Network,
    source: &BatchSource<'_>,
    gradient: &[f32],
    estimate: &ErrorEstimate,
    derivative: &[f32],
    options: CheckOptions,
    tensor: TensorLayout,
    sample: &[usize],
) -> Result<TensorCheck> {
    let range = tensor.range();
    let wide = |block: &[f32]| block[range.clone()].iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
    let (got, wanted) = (wide(gradient), wide(derivative));
    let off: Vec<f64> = got.iter().zip(&wanted).map(|(got, wanted)| (got - wanted).abs()).collect();
    let norm = norm(&wanted).max(norm(&got)).max(f64::MIN_POSITIVE);
    let worst = (0..off.len()).fold(0, |worst, i| if off[i] > off[worst] || off[i].is_nan() { i } else { worst });
    // What a sample of the elements holds of the norm.
    let share = norm * (sample.len() as f64 / got.len() as f64).sqrt();
    let allowed = (QUOTIENT_TOLERANCE * share).max(PER_ESTIMATE * estimate.rounding * share / norm);
    let how = LiteralOptions { difference: options.difference, step_size: options.step_size, threads: options.threads };
    // One place tells the batch's loss, on which the float64 loop's own rounding depends.
    let loss = literal_quotients(network, source, &sample[..1.min(sample.len())], how, &|_| true)?.loss;
    let floor = literal_floor(loss, options.step_size) * (sample.len() as f64).sqrt();
    let (oracle, quotients) = if floor <= FLOOR_SHARE * allowed {
        (Oracle::Literal, literal_quotients(network, source, sample, how, &|_| true)?.quotients)
    } else {
        let quotients = incremental_quotients(network, source, sample, options.difference, options.step_size)?;
        (Oracle::Incremental, quotients)
    };
    let misses: Vec<f64> =
        sample.iter().zip(&quotients).map(|(&place, quotient)| f64::from(gradient[place]) - quotient).collect();
    let miss = self::norm(&misses);
    let distance = self::norm(&off);
    // A NaN is not below anything.
    let passed = miss <= allowed
        && distance <= (PER_ESTIMATE * estimate.total()).max(QUOTIENT_TOLERANCE * norm)
        && off.iter().all(|off| off.is_finite());
    Ok(TensorCheck {
        relative_error: distance / norm,
        max_abs_error: off.get(worst).copied().unwrap_or(0.0),
        worst_index: in_file(&tensor, worst),
        estimate: estimate.total() / norm,
        quotient_error: miss / share,
        oracle,
        sampled: sample.len(),
        passed,
        tensor,
    })
}

/// What rounding cost a literal gradient, by the norm of one tensor: the distance of a few of its elements to
/// quotients of changes, which do not cancel.
///
/// # Errors
/// [`Error::Config`] for a batch that does not fit the network.
pub fn literal_rounding(
    network: &Network,
    source: &BatchSource<'_>,
    tensor: &TensorLayout,
    gradient: &[f64],
    difference: Difference,
    step_size: f32,
) -> Result<f64> {
    let sample = sample(tensor, 200, &mut Pcg64::seed_from_u64(0x6c6f_7373));
    let exact = incremental_quotients(network, source, &sample, difference, step_size)?;
    let misses: Vec<f64> = sample.iter().zip(exact).map(|(&place, exact)| gradient[place] - exact).collect();
    Ok(norm(&misses) * (tensor.range().len() as f64 / sample.len() as f64).sqrt())
}

/// So many different places of a tensor, in order; all where there are no more.
fn sample(tensor: &TensorLayout, count: usize, generator: &mut Pcg64) -> Vec<usize> {
    let len = tensor.range().len();
    if len <= count.max(1) {
        return tensor.range().collect();
    }
    // One from each of `count` equal parts: all over the tensor, and none twice.
    let count = count.max(1);
    let part = |index: usize| index * len / count..(index + 1) * len / count;
    (0..count).map(|index| tensor.offset + generator.random_range(part(index))).collect()
}

/// An element's place as the shape in model files counts.
fn in_file(tensor: &TensorLayout, index: usize) -> Vec<usize> {
    if tensor.name.ends_with("weight") { vec![index % tensor.columns, index / tensor.columns] } else { vec![index] }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}
