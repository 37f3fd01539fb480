//! The numerical gradient: the central difference quotient of every parameter, and nothing else.
//!
//! `g(theta) = (L(theta + h) - L(theta - h)) / 2h`, with `L` the batch's mean loss. Read literally that is two
//! forward passes a parameter. It is made cheap without changing what is computed:
//!
//! * A weight into unit `j` moves one pre-activation of each sample, by `s = h x`; only what depends on it changes.
//! * Each change is propagated as a difference in a form that does not cancel (`expm1`, `ln1p`), instead of as two
//!   nearly equal losses that are subtracted.
//! * All weights into unit `j` move sample `n`'s loss along one function of one variable, `C(s)`. It is sampled at
//!   a few pairs of points; the quotients of all inputs are read off the polynomial through them, by one matrix
//!   product. Whether the polynomial is good enough is checked for every curve; where it is not (a kink of a ReLU,
//!   a large `h`), each parameter is probed on its own.

use super::deep::{DeepProbe, Parameters, Surroundings, add_probed, listed_samples};
use super::forward::{Batch, Forward, NetworkTensors, view};
use super::{Difference, GradientOptions, ProbeReport, Probes};
use crate::Result;
use crate::backend::{
    Backend, ColumnSums, CurveFeatures, Fill, Matmul, PreciseAffine, ProbeCurve, ProbeList, ProbeSingle, ProbedLayer,
    Recording, RowRange, Tensor, Words, spare_pairs,
};
use crate::network::Activation;

/// The largest check error of a curve that is trusted, as a share of the curve's scale: four roundings of float32.
pub(super) const TOLERANCE: f32 = 5e-7;

/// The numerical gradient of a network's layers.
#[derive(Debug)]
pub(super) struct Numerical {
    layers: Vec<Layer>,
    options: GradientOptions,
    samples: usize,
}

/// How a layer is probed.
#[derive(Debug)]
enum Layer {
    /// The logits, or units that lead to the logits.
    Near(Box<LayerProbe>),
    /// Units with hidden layers behind them.
    Deep(Box<DeepProbe>),
}

/// What one layer's probing works with.
#[derive(Debug)]
struct LayerProbe {
    inputs: usize,
    units: usize,
    /// Pairs of points on each curve.
    nodes: usize,
    /// Whether single probes move parameters up only: the forward quotient.
    one_sided: bool,
    curve: Option<CurveTensors>,
    single: Option<SingleTensors>,
}

#[derive(Debug)]
pub(super) struct CurveTensors {
    /// `[N, 1]` where inputs may exceed 1.
    range: Option<Tensor>,
    /// `[q N, I]`; with one pair of points the inputs themselves serve.
    features: Option<Tensor>,
    /// `[N, 1]` of ones and `[q N, 1]`: the bias's features, where the range makes them differ from 1.
    bias_features: Option<(Tensor, Tensor)>,
    /// `[q N, U]`
    pub(super) coefficients: Tensor,
    /// `[N, U]`
    pub(super) errors: Tensor,
}

impl CurveTensors {
    pub(super) fn new(
        backend: &mut dyn Backend,
        [samples, inputs, units]: [usize; 3],
        nodes: usize,
        range: Option<Tensor>,
        errors: Tensor,
    ) -> Result<Self> {
        let features = if nodes > 1 { Some(backend.tensor(nodes * samples, inputs, "features")?) } else { None };
        let bias_features = match (range, nodes) {
            (Some(_), 2..) => {
                let ones = backend.tensor_from(&vec![1.0; samples], samples, 1, "ones")?;
                Some((ones, backend.tensor(nodes * samples, 1, "bias features")?))
            }
            _ => None,
        };
        let coefficients = backend.tensor(nodes * samples, units, "coefficients")?;
        Ok(Self { range, features, bias_features, coefficients, errors })
    }

    /// Records what makes a layer's gradient of its coefficients: a product with the inputs.
    pub(super) fn record_products(
        &self,
        recording: &mut Recording,
        inputs: Tensor,
        weight_gradient: Tensor,
        bias_gradient: Tensor,
    ) -> Result<()> {
        if let Some(features) = self.features {
            recording.push(CurveFeatures { x: inputs, range: self.range, out: features })?;
        }
        let product = |a: Tensor, out: Tensor| Matmul {
            a,
            transpose_a: true,
            b: self.coefficients,
            transpose_b: false,
            bias: None,
            out,
        };
        recording.push(product(self.features.unwrap_or(inputs), weight_gradient))?;
        match self.bias_features {
            Some((ones, features)) => {
                recording.push(CurveFeatures { x: ones, range: self.range, out: features })?;
                recording.push(product(features, bias_gradient))
            }
            // A bias is an input of 1, where every Chebyshev polynomial is 1 when the range is 1.
            None => recording.push(ColumnSums { x: self.coefficients, out: bias_gradient }),
        }
    }
}

#[derive(Debug)]
struct SingleTensors {
    list: Words,
    counts: Words,
    totals: Words,
    largest: Tensor,
    /// `[2 U, N]`, for ReLU.
    precise: Option<Tensor>,
    /// Where hidden layers in front round the inputs of a ReLU, its distance from the kink takes float64 from the beginning
    /// on: the host probes, after each run. It counts the probes.
    on_host: bool,
    host_probes: u64,
}

impl Numerical {
    pub(super) fn new(
        backend: &mut dyn Backend,
        network: &NetworkTensors,
        batch: &Batch,
        options: GradientOptions,
    ) -> Result<Self> {
        let architecture = &network.architecture;
        let samples = batch.inputs.rows;
        let layers = (0..architecture.layers())
            .map(|layer| {
                let bounded = if layer == 0 {
                    batch.from_bytes
                } else {
                    matches!(architecture.activation, Activation::Sigmoid | Activation::Tanh)
                };
                if layer + 2 < architecture.layers() {
                    let deep = DeepProbe::new(backend, network, samples, layer, bounded, options)?;
                    return Ok(Layer::Deep(Box::new(deep)));
                }
                let shape = [samples, architecture.sizes[layer], architecture.sizes[layer + 1]];
                let activation =
                    if layer + 1 < architecture.layers() { architecture.activation } else { Activation::Identity };
                let on_host = activation == Activation::Relu && layer > 0;
                LayerProbe::new(backend, shape, (activation, on_host), bounded, &options)
                    .map(|near| Layer::Near(Box::new(near)))
            })
            .collect::<Result<_>>()?;
        Ok(Self { layers, options, samples })
    }

    /// Records the probes of every layer; `gradient` is laid out like the parameters.
    pub(super) fn record(
        &self,
        recording: &mut Recording,
        network: &NetworkTensors,
        forward: &Forward,
        batch: &Batch,
        gradient: Tensor,
    ) -> Result<()> {
        let last = self.layers.len() - 1;
        for (index, layer) in self.layers.iter().enumerate() {
            let layer = match layer {
                Layer::Near(layer) => layer,
                Layer::Deep(deep) => {
                    deep.record(recording, &Surroundings { network, forward, batch, gradient })?;
                    continue;
                }
            };
            let probed = ProbedLayer {
                activation: if index < last { network.architecture.activation } else { Activation::Identity },
                pre_activations: forward.pre_activations[index],
                next: (index < last).then(|| network.weight(index + 1)),
                y: forward.outputs,
                targets: batch.targets,
                output: network.architecture.output,
                step_size: self.options.step_size,
            };
            let place = &network.layout.layers()[index];
            let target = Target {
                inputs: forward.layer_inputs(batch, index),
                weight: network.weight(index),
                bias: network.bias(index),
                weight_gradient: view(gradient, &place.weight),
                bias_gradient: view(gradient, &place.bias),
            };
            layer.record(recording, probed, &target, self.tolerance())?;
        }
        Ok(())
    }

    /// Whether every run must be followed by [`Numerical::refine`].
    pub(super) fn must_be_refined(&self) -> bool {
        self.layers.iter().any(|layer| matches!(layer, Layer::Deep(_)))
    }

    /// After each run of the recording: makes good what the checks of deep layers refuse.
    pub(super) fn refine(&mut self, backend: &mut dyn Backend, around: &Surroundings<'_>) -> Result<()> {
        let mut parameters = Parameters::default();
        for (index, layer) in self.layers.iter_mut().enumerate() {
            match layer {
                Layer::Deep(deep) => deep.refine(backend, around, &mut parameters)?,
                Layer::Near(near) => {
                    let Some(single) = near.single.as_mut().filter(|single| single.on_host) else { continue };
                    let counts = backend.read_words(single.counts)?;
                    if counts.iter().any(|&count| count > 0) {
                        let listed = listed_samples(&backend.read_words(single.list)?, &counts, self.samples);
                        single.host_probes +=
                            add_probed(backend, around, &mut parameters, (index, &listed), &self.options)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn tolerance(&self) -> f32 {
        match self.options.probes {
            Probes::Curve => f32::INFINITY,
            Probes::Auto | Probes::Each => TOLERANCE,
        }
    }

    /// Reads what the checks counted over the `steps` since the beginning, and the loss evaluations made: one of
    /// each batch, and of each probe its share.
    pub(super) fn report(&self, backend: &mut dyn Backend, steps: u64) -> Result<(ProbeReport, f64)> {
        let mut report = ProbeReport::default();
        let mut evaluations = steps as f64;
        for layer in &self.layers {
            let layer = match layer {
                Layer::Near(layer) => layer,
                Layer::Deep(deep) => {
                    let (counted, made) = deep.report(backend)?;
                    report.add(&counted);
                    evaluations += made;
                    continue;
                }
            };
            if layer.curve.is_some() {
                let curves = steps * (self.samples * layer.units) as u64;
                report.curves += curves;
                report.more_nodes += if layer.nodes > 1 { curves } else { 0 };
                let pairs = layer.nodes + spare_pairs(layer.nodes);
                evaluations += steps as f64 * (2 * pairs * layer.units) as f64;
            }
            if let Some(single) = &layer.single {
                let listed: u64 = backend.read_words(single.totals)?.into_iter().map(u64::from).sum();
                report.single += listed;
                let sides = if layer.one_sided { 1 } else { 2 };
                let probes = match single.on_host {
                    true => single.host_probes,
                    false => listed * sides * (layer.inputs as u64 + 1),
                };
                evaluations += probes as f64 / self.samples as f64;
                let largest = backend.read_tensor(single.largest)?;
                let largest = largest.into_iter().fold(0.0, f32::max);
                report.largest_check_error = report.largest_check_error.max(f64::from(largest));
            }
        }
        Ok((report, evaluations))
    }
}

/// The tensors that one layer's gradient is made from and goes to.
struct Target {
    inputs: Tensor,
    weight: Tensor,
    bias: Tensor,
    weight_gradient: Tensor,
    bias_gradient: Tensor,
}

impl LayerProbe {
    fn new(
        backend: &mut dyn Backend,
        [samples, inputs, units]: [usize; 3],
        (activation, on_host): (Activation, bool),
        bounded: bool,
        options: &GradientOptions,
    ) -> Result<Self> {
        let nodes = options.nodes.unwrap_or_else(|| pairs_for(options.step_size, bounded));
        let curve = match options.probes {
            Probes::Each => None,
            Probes::Auto | Probes::Curve => {
                let range = if bounded { None } else { Some(backend.tensor(samples, 1, "ranges")?) };
                let errors = backend.tensor(samples, units, "check errors")?;
                Some(CurveTensors::new(backend, [samples, inputs, units], nodes, range, errors)?)
            }
        };
        let single = match options.probes {
            Probes::Curve => None,
            Probes::Auto | Probes::Each => Some(SingleTensors {
                list: backend.words(samples * units, "single probes")?,
                counts: backend.words(units, "counts of single probes")?,
                totals: backend.words(units, "totals of single probes")?,
                largest: backend.tensor(1, units, "largest check errors")?,
                on_host,
                host_probes: 0,
                precise: match activation {
                    Activation::Relu if !on_host => {
                        Some(backend.tensor(2 * units, samples, "precise pre-activations")?)
                    }
                    _ => None,
                },
            }),
        };
        let one_sided = options.difference == Difference::Forward;
        Ok(Self { inputs, units, nodes, one_sided, curve, single })
    }

    fn record(&self, recording: &mut Recording, layer: ProbedLayer, target: &Target, tolerance: f32) -> Result<()> {
        if let Some(curve) = &self.curve {
            self.record_curve(recording, curve, layer, target, tolerance)?;
        } else {
            recording.push(Fill { value: 0.0, out: target.weight_gradient })?;
            recording.push(Fill { value: 0.0, out: target.bias_gradient })?;
        }
        if let Some(single) = &self.single {
            recording.push(ProbeList {
                errors: self.curve.as_ref().map(|curve| curve.errors),
                tolerance,
                samples: target.inputs.rows,
                units: self.units,
                list: single.list,
                counts: single.counts,
                totals: single.totals,
                largest: single.largest,
            })?;
            if single.on_host {
                return Ok(());
            }
            if let Some(out) = single.precise {
                recording.push(PreciseAffine {
                    inputs: target.inputs,
                    weight: target.weight,
                    bias: target.bias,
                    list: single.list,
                    counts: single.counts,
                    out,
                })?;
            }
            recording.push(ProbeSingle {
                layer,
                inputs: target.inputs,
                precise: single.precise,
                list: single.list,
                counts: single.counts,
                weight_gradient: target.weight_gradient,
                bias_gradient: target.bias_gradient,
                one_sided: self.one_sided,
            })?;
        }
        Ok(())
    }

    fn record_curve(
        &self,
        recording: &mut Recording,
        curve: &CurveTensors,
        layer: ProbedLayer,
        target: &Target,
        tolerance: f32,
    ) -> Result<()> {
        if let Some(range) = curve.range {
            recording.push(RowRange { x: target.inputs, out: range })?;
        }
        recording.push(ProbeCurve {
            layer,
            range: curve.range,
            nodes: self.nodes,
            tolerance,
            coefficients: curve.coefficients,
            errors: curve.errors,
        })?;
        curve.record_products(recording, target.inputs, target.weight_gradient, target.bias_gradient)
    }
}

/// Pairs of points that a curve needs for float32 rounding at this step size, for weights of ordinary size: the
/// check sees to the others. What one to six pairs miss grows as the powers 2, 4, 6, ... of `h`: at `h = 0.01` it
/// is 5e-5 with one pair and 6e-10 with two, at 0.1 3e-10 with three, at 0.5 1e-5 with four and 2e-8 with six (tanh).
pub(super) fn pairs_for(step_size: f32, bounded: bool) -> usize {
    // Inputs without a bound seldom exceed this.
    let reach = if bounded { step_size } else { 4.0 * step_size };
    match reach {
        ..=5e-4 => 1,
        ..=0.02 => 2,
        ..=0.1 => 3,
        ..=0.25 => 4,
        ..=0.7 => 6,
        _ => 8,
    }
}
