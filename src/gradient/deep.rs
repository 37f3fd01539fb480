//! The numerical gradient of a layer with hidden layers behind it.
//!
//! A curve is measured by following its unit's moves through all layers behind, in rows: `2 q N U` of them, each a
//! product with the next layers' weights. They are cut into chunks that fit a budget of memory. Whether one pair of points
//! is enough for every curve is known from bounds on the derivatives before anything is measured; with more pairs, spare
//! ones tell. Where they find too much, the layer is measured again at more points; what is left, kinks above all, is
//! probed by the host, parameter by parameter.

use std::collections::HashMap;
use std::ops::Range;

use super::exact;
use super::forward::{Batch, Forward, NetworkTensors, view};
use super::numerical::{CurveTensors, TOLERANCE, pairs_for};
use super::{Difference, GradientOptions, ProbeReport, Probes};
use crate::backend::{
    Backend, BufferId, Fill, MAX_NODES, Matmul, ProbeBehind, ProbeChunk, ProbeDifference, ProbeList, ProbeThrough,
    ProgramId, Recording, RowRange, Tensor, Words, spare_pairs,
};
use crate::device::DeviceKind;
use crate::network::{Activation, Architecture, OutputLoss};
use crate::{Error, Result};

/// Bytes for rows on a CPU: they should stay in its caches from one operation to the next.
const CACHE_BYTES: u64 = 2 << 20;

/// Bytes for rows on an adapter.
const ADAPTER_BYTES: u64 = 64 << 20;

/// Curves that the host may probe rather than that the layer is measured at more points, as a share of all.
const FEW: f64 = 0.005;

/// Everything that a gradient is made from and goes to.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) network: &'a NetworkTensors,
    pub(super) forward: &'a Forward,
    pub(super) batch: &'a Batch,
    /// `[1, P]`
    pub(super) gradient: Tensor,
}

/// The parameters of a network, read when somebody asks for them first.
#[derive(Debug, Default)]
pub(super) struct Parameters(Option<Vec<f32>>);

impl Parameters {
    fn read(&mut self, backend: &mut dyn Backend, around: &Surroundings<'_>) -> Result<&[f32]> {
        if self.0.is_none() {
            self.0 = Some(backend.read_tensor(around.network.parameters)?);
        }
        Ok(self.0.as_deref().unwrap_or_default())
    }
}

/// One layer, and what its probing works with.
#[derive(Debug)]
pub(super) struct DeepProbe {
    layer: usize,
    samples: usize,
    units: usize,
    options: GradientOptions,
    /// Pairs of points that every run begins with.
    nodes: usize,
    /// Whether no input exceeds 1.
    bounded: bool,
    /// `[N, 1]` where inputs may exceed 1.
    range: Option<Tensor>,
    /// Room for rows, of so many floats each.
    moves: [BufferId; 2],
    room: usize,
    /// `[most curves of a chunk, 1]`
    kinks: Tensor,
    /// By the number of pairs.
    curves: HashMap<usize, CurveTensors>,
    programs: HashMap<(usize, Trust), ProgramId>,
    list: Words,
    counts: Words,
    totals: Words,
    largest: Tensor,
    /// What the runs so far have counted; the largest error that the device saw is not in it yet.
    counted: ProbeReport,
    evaluations: f64,
}

/// By what a layer's curves are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Trust {
    /// By the spare pairs.
    Checked,
    /// By the bound from the weights, which leaves nothing that so many points could miss. What the spare pairs see then is
    /// rounding: behind several layers a curve may be the small rest of sums that cancel, and its rounding large beside it.
    /// What the tensor's own sums round is as large, and float64 on the host would take minutes for thousands of such curves.
    Proven,
}

impl Trust {
    /// With one pair's error bounded by `bound`, each further pair divides the error by about as much again.
    fn of(bound: f64, nodes: usize) -> Self {
        /// A fiftieth of [`TOLERANCE`], since the bound is one of the third derivative alone.
        const ENOUGH: f64 = 1e-8;
        if bound.powi(nodes as i32) <= ENOUGH { Self::Proven } else { Self::Checked }
    }

    /// The largest error that is believed, as a share of a curve's size. Of what is proven, only what is not finite or off
    /// by more than any rounding is refused.
    fn tolerance(self) -> f32 {
        match self {
            Self::Checked => TOLERANCE,
            Self::Proven => 1e-3,
        }
    }
}

impl DeepProbe {
    pub(super) fn new(
        backend: &mut dyn Backend,
        network: &NetworkTensors,
        samples: usize,
        layer: usize,
        bounded: bool,
        options: GradientOptions,
    ) -> Result<Self> {
        let sizes = &network.architecture.sizes;
        let (inputs, units) = (sizes[layer], sizes[layer + 1]);
        let nodes = options.nodes.unwrap_or_else(|| {
            let wanted = pairs_for(options.step_size, bounded);
            let bends = derivative_bounds(network.architecture.activation).is_some();
            // Without a bound only spare pairs can tell whether the polynomial is good enough.
            if bounded && bends { wanted } else { wanted.max(2) }
        });
        let widest = sizes[layer + 2..].iter().copied().max().unwrap_or(1);
        let budget = match backend.info().kind {
            DeviceKind::Cpu => CACHE_BYTES,
            DeviceKind::Gpu | DeviceKind::Software => ADAPTER_BYTES,
        };
        let bytes = (options.memory.unwrap_or(u64::MAX).min(budget) / 2).min(backend.max_buffer_bytes());
        let row_pairs = 2 * (MAX_NODES + spare_pairs(MAX_NODES));
        // At least one curve fits, whatever the budget.
        let curves_bytes = row_pairs * widest * 4;
        let most = usize::try_from(bytes).unwrap_or(usize::MAX).max(curves_bytes);
        let room = (most / 4).min(row_pairs * widest * samples * units);
        let chunk = (room / (2 * widest)).min(samples * units);
        let moves = [backend.allocate(room * 4, "moves")?, backend.allocate(room * 4, "moves")?];
        let range = if bounded { None } else { Some(backend.tensor(samples, 1, "ranges")?) };
        let errors = backend.tensor(samples, units, "check errors")?;
        let mut curves = HashMap::new();
        if options.probes != Probes::Each {
            let shape = [samples, inputs, units];
            curves.insert(nodes, CurveTensors::new(backend, shape, nodes, range, errors)?);
        }
        Ok(Self {
            layer,
            samples,
            units,
            options,
            nodes,
            bounded,
            range,
            moves,
            room,
            kinks: backend.tensor(chunk, 1, "kinks")?,
            curves,
            programs: HashMap::new(),
            list: backend.words(samples * units, "curves not trusted")?,
            counts: backend.words(units, "counts of curves not trusted")?,
            totals: backend.words(units, "totals of curves not trusted")?,
            largest: backend.tensor(1, units, "largest check errors")?,
            counted: ProbeReport::default(),
            evaluations: 0.0,
        })
    }

    /// Records the layer's curves at the usual number of points, and its gradient as far as they are trusted.
    pub(super) fn record(&self, recording: &mut Recording, around: &Surroundings<'_>) -> Result<()> {
        match self.curves.get(&self.nodes) {
            Some(curve) => self.record_curves(recording, around, (self.nodes, Trust::Checked), curve),
            None => {
                let (weight, bias) = self.gradients(around);
                recording.push(Fill { value: 0.0, out: weight })?;
                recording.push(Fill { value: 0.0, out: bias })
            }
        }
    }

    /// The layer's weight `[I, U]` and bias `[1, U]` in the gradient.
    fn gradients(&self, around: &Surroundings<'_>) -> (Tensor, Tensor) {
        let place = &around.network.layout.layers()[self.layer];
        (view(around.gradient, &place.weight), view(around.gradient, &place.bias))
    }

    fn record_curves(
        &self,
        recording: &mut Recording,
        around: &Surroundings<'_>,
        (nodes, trust): (usize, Trust),
        curve: &CurveTensors,
    ) -> Result<()> {
        let inputs = around.forward.layer_inputs(around.batch, self.layer);
        if let Some(range) = self.range {
            recording.push(RowRange { x: inputs, out: range })?;
        }
        let widest = around.network.architecture.sizes[self.layer + 2..].iter().copied().max().unwrap_or(1);
        let pairs = nodes + spare_pairs(nodes);
        let most = (self.room / (2 * pairs * widest)).clamp(1, self.kinks.rows);
        for chunk in chunks(self.samples, self.units, most) {
            self.record_chunk(recording, around, (nodes, trust), curve, chunk)?;
        }
        let (weight, bias) = self.gradients(around);
        curve.record_products(recording, inputs, weight, bias)?;
        if self.options.probes == Probes::Auto {
            recording.push(ProbeList {
                errors: Some(curve.errors),
                tolerance: trust.tolerance(),
                samples: self.samples,
                units: self.units,
                list: self.list,
                counts: self.counts,
                totals: self.totals,
                largest: self.largest,
            })?;
        }
        Ok(())
    }

    fn record_chunk(
        &self,
        recording: &mut Recording,
        around: &Surroundings<'_>,
        (nodes, trust): (usize, Trust),
        curve: &CurveTensors,
        curves: Range<usize>,
    ) -> Result<()> {
        let (first, count) = (curves.start, curves.len());
        let (network, forward) = (around.network, around.forward);
        let sizes = &network.architecture.sizes;
        let chunk = ProbeChunk {
            activation: network.architecture.activation,
            pre_activations: forward.pre_activations[self.layer],
            range: self.range,
            step_size: self.options.step_size,
            nodes,
            first,
            count,
        };
        let kinks = Tensor { rows: count, ..self.kinks };
        let rows = |buffer: usize, columns: usize| Tensor {
            buffer: self.moves[buffer],
            offset: 0,
            rows: chunk.rows(),
            columns,
        };
        let mut moves = rows(0, sizes[self.layer + 2]);
        recording.push(ProbeBehind {
            chunk,
            weight: network.weight(self.layer + 1),
            behind: forward.pre_activations[self.layer + 1],
            out: moves,
            kinks,
        })?;
        let last = network.architecture.layers() - 1;
        for index in self.layer + 2..=last {
            let out = rows((index - self.layer - 1) % 2, sizes[index + 1]);
            let b = network.weight(index);
            recording.push(Matmul { a: moves, transpose_a: false, b, transpose_b: false, bias: None, out })?;
            if index < last {
                recording.push(ProbeThrough { chunk, behind: forward.pre_activations[index], x: out, kinks })?;
            }
            moves = out;
        }
        recording.push(ProbeDifference {
            chunk,
            moves,
            kinks,
            y: forward.outputs,
            targets: around.batch.targets,
            output: network.architecture.output,
            tolerance: if self.options.probes == Probes::Curve { f32::INFINITY } else { trust.tolerance() },
            coefficients: curve.coefficients,
            errors: curve.errors,
        })
    }

    /// After a run of what [`DeepProbe::record`] has recorded: looks at the checks, and makes good what they refuse.
    pub(super) fn refine(
        &mut self,
        backend: &mut dyn Backend,
        around: &Surroundings<'_>,
        parameters: &mut Parameters,
    ) -> Result<()> {
        let curves = self.samples * self.units;
        self.counted.curves += if self.options.probes == Probes::Each { 0 } else { curves as u64 };
        let (mut nodes, mut trust) = (self.nodes, Trust::Checked);
        // Worked out once, where it is asked for: the weights do not change in between.
        let mut bound = None;
        let units = self.units;
        let measured = |nodes: usize| (2 * (nodes + spare_pairs(nodes)) * units) as f64;
        match self.options.probes {
            Probes::Curve => {
                self.evaluations += measured(nodes);
                self.counted.more_nodes += if nodes > 1 { curves as u64 } else { 0 };
                return Ok(());
            }
            Probes::Each => {
                let all: Vec<_> = (0..self.units).map(|_| (0..self.samples).collect()).collect();
                return self.probe_each(backend, around, parameters, &all);
            }
            Probes::Auto => self.evaluations += measured(nodes),
        }
        if nodes == 1 {
            let bound = *bound.insert(self.bound(backend, around)?);
            if bound <= f64::from(TOLERANCE) {
                self.counted.largest_check_error = self.counted.largest_check_error.max(bound);
            } else {
                nodes = 2;
                trust = Trust::of(bound, nodes);
                self.evaluations += measured(nodes);
                self.run_again(backend, around, (nodes, trust))?;
            }
        }
        loop {
            let counts = backend.read_words(self.counts)?;
            let listed: u64 = counts.iter().map(|&count| u64::from(count)).sum();
            let kinked = around.network.architecture.activation == Activation::Relu;
            if listed > 0 && nodes > 1 && !kinked && trust == Trust::Checked {
                let known = match bound {
                    Some(bound) => bound,
                    None => *bound.insert(self.bound(backend, around)?),
                };
                trust = Trust::of(known, nodes);
                if trust == Trust::Proven {
                    self.evaluations += measured(nodes);
                    self.run_again(backend, around, (nodes, trust))?;
                    continue;
                }
            }
            if listed as f64 > FEW * curves as f64 && nodes < MAX_NODES && !kinked {
                nodes = next_nodes(nodes);
                self.evaluations += measured(nodes);
                self.run_again(backend, around, (nodes, trust))?;
                continue;
            }
            self.counted.more_nodes += if nodes > 1 { curves as u64 } else { 0 };
            if listed == 0 {
                return Ok(());
            }
            let listed = listed_samples(&backend.read_words(self.list)?, &counts, self.samples);
            return self.probe_each(backend, around, parameters, &listed);
        }
    }

    /// Measures the layer once more, at more points.
    fn run_again(
        &mut self,
        backend: &mut dyn Backend,
        around: &Surroundings<'_>,
        (nodes, trust): (usize, Trust),
    ) -> Result<()> {
        if !self.curves.contains_key(&nodes) {
            let errors = match self.curves.values().next() {
                Some(curve) => curve.errors,
                None => backend.tensor(self.samples, self.units, "check errors")?,
            };
            let inputs = around.network.architecture.sizes[self.layer];
            let shape = [self.samples, inputs, self.units];
            let tensors = CurveTensors::new(backend, shape, nodes, self.range, errors)?;
            self.curves.insert(nodes, tensors);
        }
        let program = match (self.programs.get(&(nodes, trust)), self.curves.get(&nodes)) {
            (Some(&program), _) => program,
            (None, Some(curve)) => {
                let mut recording = Recording::new();
                self.record_curves(&mut recording, around, (nodes, trust), curve)?;
                let program = backend.prepare(&recording)?;
                self.programs.insert((nodes, trust), program);
                program
            }
            (None, None) => return Err(Error::config("no curves of that many points")),
        };
        backend.run(program, 1)
    }

    /// Probes the listed curves on the host and adds what they contribute.
    fn probe_each(
        &mut self,
        backend: &mut dyn Backend,
        around: &Surroundings<'_>,
        parameters: &mut Parameters,
        listed: &[Vec<usize>],
    ) -> Result<()> {
        let probes = add_probed(backend, around, parameters, (self.layer, listed), &self.options)?;
        self.counted.single += listed.iter().map(|samples| samples.len() as u64).sum::<u64>();
        self.evaluations += probes as f64 / self.samples as f64;
        Ok(())
    }

    /// A bound of `s^2 C''' / 6 C'` over all curves of the layer, `C'` taken without what cancels in it.
    ///
    /// Along a curve each unit's value is a function of one variable. With `g` the largest first derivative of a layer's
    /// pre-activations, and second and third ones of at most `r2 g` and `r3 g`, an activation whose own second and third
    /// derivatives are at most `m2` and `m3` times its first makes of them
    /// `r2 + m2 g` and `r3 + 3 m2 g r2 + m3 g^2`; a weight changes `g` alone. The softmax is a last one of these.
    fn bound(&self, backend: &mut dyn Backend, around: &Surroundings<'_>) -> Result<f64> {
        let architecture = &around.network.architecture;
        let Some([slope, m2, m3]) = derivative_bounds(architecture.activation).filter(|_| self.bounded) else {
            return Ok(f64::INFINITY);
        };
        let (mut r2, mut r3) = (m2, m3);
        let first = backend.read_tensor(around.network.weight(self.layer + 1))?;
        let mut g = slope * first.iter().fold(0.0f32, |most, w| most.max(w.abs())) as f64;
        for index in self.layer + 1..architecture.layers() - 1 {
            (r2, r3) = (r2 + m2 * g, r3 + 3.0 * m2 * g * r2 + m3 * g * g);
            let weight = around.network.weight(index + 1);
            g *= slope * largest_column(&backend.read_tensor(weight)?, weight.columns);
        }
        let spread = if architecture.output == OutputLoss::SumOfSquares { 0.0 } else { 2.0 * g };
        let reach = f64::from(self.options.step_size);
        // A parabola has no third derivative, but its slope changes along with the outputs' second ones.
        Ok(reach * reach / 6.0 * (spread * spread + 3.0 * r2 * 2.0 * g + r3))
    }

    /// What all runs so far have counted, and the loss evaluations made but for the batches' own.
    pub(super) fn report(&self, backend: &mut dyn Backend) -> Result<(ProbeReport, f64)> {
        let mut report = self.counted;
        let largest = backend.read_tensor(self.largest)?.into_iter().fold(0.0, f32::max);
        report.largest_check_error = report.largest_check_error.max(f64::from(largest));
        Ok((report, self.evaluations))
    }
}

/// The samples of each unit's curves that are listed.
pub(super) fn listed_samples(list: &[u32], counts: &[u32], samples: usize) -> Vec<Vec<usize>> {
    let of_unit = |(j, &count): (usize, &u32)| {
        let row = &list[j * samples..][..count as usize];
        row.iter().map(|&n| n as usize).collect()
    };
    counts.iter().enumerate().map(of_unit).collect()
}

/// Probes curves of a layer on the host, in float64 and parameter by parameter, and adds what they contribute to the
/// gradient. Returns the probes made, of one sample each.
pub(super) fn add_probed(
    backend: &mut dyn Backend,
    around: &Surroundings<'_>,
    parameters: &mut Parameters,
    (layer, listed): (usize, &[Vec<usize>]),
    options: &GradientOptions,
) -> Result<u64> {
    let inputs = backend.read_tensor(around.batch.inputs)?;
    let targets = backend.read_words(around.batch.targets)?;
    let problem = exact::Problem {
        architecture: &around.network.architecture,
        layers: around.network.layout.layers(),
        parameters: parameters.read(backend, around)?,
        inputs: &inputs,
        targets: &targets,
    };
    let one_sided = options.difference == Difference::Forward;
    let found = exact::contribution(&problem, layer, listed, options.step_size, one_sided);
    let place = &around.network.layout.layers()[layer];
    let (weight, bias) = (view(around.gradient, &place.weight), view(around.gradient, &place.bias));
    let mut weights = backend.read_tensor(weight)?;
    let mut biases = backend.read_tensor(bias)?;
    let add = |value: &mut f32, more: f64| *value = (f64::from(*value) + more) as f32;
    for (j, column, more) in found.units {
        weights[j..].iter_mut().step_by(weight.columns).zip(column).for_each(|(value, more)| add(value, more));
        add(&mut biases[j], more);
    }
    backend.write_tensor(weight, &weights)?;
    backend.write_tensor(bias, &biases)?;
    Ok(found.probes)
}

/// How many times the multiply-adds of back-propagation a numerical gradient takes, at one pair of points on each curve.
///
/// Behind each unit of a layer the following ones are gone through twice; with `L` hidden layers of `U` units that is about
/// `(L - 1)(L - 2) / 2 * 4 U^3` a sample, against `6 L U^2`.
#[must_use]
pub fn relative_cost(architecture: &Architecture) -> f64 {
    let sizes: Vec<f64> = architecture.sizes.iter().map(|&size| size as f64).collect();
    let passes: f64 = sizes.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let behind = |layer: usize| -> f64 {
        let products: f64 = sizes[layer + 2..].windows(2).map(|pair| pair[0] * pair[1]).sum();
        2.0 * sizes[layer + 1] * (sizes[layer + 2] + products)
    };
    let followed: f64 = (0..architecture.layers().saturating_sub(2)).map(behind).sum();
    1.0 + followed / (3.0 * passes)
}

/// The curves in chunks of at most `most`: whole samples where they fit, else parts of one, cut where sixteenths of it are,
/// so that the same curves are worked on side by side whatever the budget is.
fn chunks(samples: usize, units: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    const TOGETHER: usize = 16;
    let whole = (most / units).max(1);
    let part = if most >= units { units } else { (most / TOGETHER * TOGETHER).max(most.min(TOGETHER)) };
    (0..samples).step_by(whole).flat_map(move |n| {
        let (start, end) = (n * units, (n + whole).min(samples) * units);
        let step = if whole > 1 || part == units { end - start } else { part };
        (start..end).step_by(step).map(move |first| first..(first + step).min(end))
    })
}

/// The next number of pairs that is worth trying.
fn next_nodes(nodes: usize) -> usize {
    match nodes {
        1 => 2,
        2 => 3,
        3 => 4,
        4 => 6,
        _ => MAX_NODES,
    }
}

/// The largest slope of an activation, and its second and third derivatives as multiples of its first at most; nothing
/// where the slope passes through 0.
fn derivative_bounds(activation: Activation) -> Option<[f64; 3]> {
    match activation {
        Activation::Sigmoid => Some([0.25, 1.0, 1.0]),
        Activation::Tanh => Some([1.0, 2.0, 4.0]),
        Activation::Softplus => Some([1.0, 1.0, 1.0]),
        Activation::Relu | Activation::Identity => Some([1.0, 0.0, 0.0]),
        Activation::Gelu => None,
    }
}

/// The largest sum of magnitudes of a column.
fn largest_column(weight: &[f32], columns: usize) -> f64 {
    let mut sums = vec![0.0f32; columns];
    for row in weight.chunks_exact(columns) {
        sums.iter_mut().zip(row).for_each(|(sum, w)| *sum += w.abs());
    }
    // What float32 may have rounded off is less than a thousandth.
    1.001 * f64::from(sums.into_iter().fold(0.0, f32::max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_hold_every_curve_once_and_keep_within_the_budget() {
        for (samples, units) in [(1, 1), (7, 5), (3, 33), (2, 100)] {
            for most in [1, 5, 16, 40, 99, 1_000] {
                let mut next = 0;
                for chunk in chunks(samples, units, most) {
                    assert!(chunk.start == next && !chunk.is_empty() && chunk.len() <= most, "{chunk:?} of {most}");
                    next = chunk.end;
                }
                assert_eq!(next, samples * units);
            }
        }
    }
}
