//! Curves of units with one hidden layer before the logits, where steps are short: operations in one, whose work is matrix
//! products. See `shaders/probe_terms.wgsl` and `shaders/probe_sums.wgsl`.

use std::ops::Range;

use super::kernel::{
    Binding, DeviceClass, Dispatch, WORKGROUP, activation_code, folded, is_short, node_constants, output_code, shader,
};
use super::{matmul, trips};
use crate::backend::fusion::ProbedBehind;
use crate::backend::op::{Matmul, ProbeChunk};
use crate::backend::tensor::{Span, Tensor};
use crate::network::{ALIGNMENT, Activation};

/// Operations that are done in one.
pub(super) struct ProbeSums(pub(super) ProbedBehind);

/// Where the parts of both buffers begin, in floats.
struct Places {
    /// The probed units: the first of each sample's, and how many.
    before: usize,
    units: usize,
    /// The samples: the first, and how many.
    begin: usize,
    samples: usize,
    /// Of the terms: the second ones, the third ones, the weights' squares, distances from kinks, largest weights, and sums of
    /// cubes.
    second: usize,
    third: usize,
    squares: usize,
    distances: usize,
    largest: usize,
    cubes: usize,
    terms_len: usize,
    /// Of the sums: those of squares.
    squared: usize,
    sums_len: usize,
}

/// Units of a part of a sample are a multiple of this.
const PART: usize = 16;

/// Curves cut where multiples of `step` are; where that is less than a sample's `units`, at its ends as well.
fn cut(curves: Range<usize>, units: usize, step: usize) -> impl Iterator<Item = Range<usize>> {
    let mut first = curves.start;
    std::iter::from_fn(move || {
        let from = first;
        let sample = from / units * units;
        let end = if step < units {
            (sample + ((from - sample) / step + 1) * step).min(sample + units)
        } else {
            (from / step + 1) * step
        };
        first = end.min(curves.end);
        (from < curves.end).then_some(from..first)
    })
}

/// Where a part behind `len` floats may be bound.
fn aligned(len: usize) -> usize {
    len.next_multiple_of(ALIGNMENT)
}

impl ProbeSums {
    fn is_proportional(&self) -> bool {
        matches!(self.0.behind.chunk.activation, Activation::Relu | Activation::Identity)
    }

    fn places(&self) -> Places {
        let (chunk, width, classes) = (&self.0.behind.chunk, self.0.next.rows, self.0.next.columns);
        let all = chunk.pre_activations.columns;
        let (begin, end) = (chunk.first / all, (chunk.first + chunk.count).div_ceil(all));
        let samples = end - begin;
        // A part of one sample, or whole ones.
        let (before, units) = if samples == 1 { (chunk.first % all, chunk.count) } else { (0, all) };
        let sums = samples * classes * units;
        let terms = samples * classes * width;
        let bends = usize::from(!self.is_proportional());
        let second = aligned(terms);
        let third = second + bends * aligned(terms);
        let squares = third + bends * aligned(terms);
        let distances = squares + bends * aligned(units * width);
        let is_relu = usize::from(chunk.activation == Activation::Relu);
        let largest = distances + is_relu * samples * width;
        let cubes = largest + units + 2 * samples;
        let terms_len = cubes + bends * sums;
        let squared = aligned(sums);
        let sums_len = squared + bends * sums;
        Places {
            before,
            units,
            begin,
            samples,
            second,
            third,
            squares,
            distances,
            largest,
            cubes,
            terms_len,
            squared,
            sums_len,
        }
    }

    /// Whether the kernels can do this in so much room for terms and for sums.
    fn fits(&self, room: [usize; 2]) -> bool {
        let (places, width) = (self.places(), self.0.next.rows);
        let begins_aligned = (places.before * width).is_multiple_of(ALIGNMENT);
        begins_aligned && places.terms_len <= room[0] && places.sums_len <= room[1]
    }

    /// The same in pieces, as large as the room that the moves of both layers would have taken allows: whole samples, else
    /// parts of one. `floats` tells how many floats there are behind a tensor's start. Nothing if that is not possible.
    pub(super) fn pieces(probes: &ProbedBehind, floats: impl Fn(Tensor) -> usize) -> Option<Vec<Self>> {
        let chunk = probes.behind.chunk;
        let in_one_run = probes.next.rows * (probes.next.columns + 1) < trips::MOST / 2;
        if !is_short(&chunk) || !in_one_run {
            return None;
        }
        let room = [floats(probes.behind.out), floats(probes.difference.moves)];
        let units = chunk.pre_activations.columns;
        let whole = chunk.pre_activations.rows * units;
        let samples =
            std::iter::successors(Some(whole), |step| (*step > units).then(|| (step / units).div_ceil(2) * units));
        let parts =
            std::iter::successors(Some(units), |step| (*step > PART).then(|| step.div_ceil(2).next_multiple_of(PART)));
        samples.chain(parts).find_map(|step| {
            let pieces: Vec<Self> = cut(chunk.first..chunk.first + chunk.count, units, step)
                .map(|curves| Self(probes.with(ProbeChunk { first: curves.start, count: curves.len(), ..chunk })))
                .collect();
            pieces.iter().all(|piece| piece.fits(room)).then_some(pieces)
        })
    }

    /// Writes curves and errors, as the third operation says.
    pub(super) fn dispatches(&self, class: DeviceClass) -> Vec<Dispatch> {
        let places = self.places();
        let mut all = vec![self.terms(&places)];
        all.extend(self.products(&places).iter().flat_map(|product| matmul::dispatches(product, class)));
        all.push(self.curves(&places));
        all
    }

    fn terms(&self, places: &Places) -> Dispatch {
        let (chunk, width, classes) = (&self.0.behind.chunk, self.0.next.rows, self.0.next.columns);
        let Places { units, begin, samples, .. } = *places;
        let last = match chunk.activation {
            Activation::Identity => 0,
            Activation::Relu => samples * width,
            _ => units * width,
        };
        let elements = units + samples + samples * classes * width + last;
        let words = [width, classes, samples, begin, units, places.second, places.third, places.squares];
        let more = [places.distances, places.largest, 0];
        Dispatch {
            name: "probe_terms",
            source: shader!("probe_terms", "grid", "numerics", "activations", "units", "behind"),
            constants: vec![
                ("WORKGROUP", WORKGROUP.into()),
                ("ACTIVATION", activation_code(chunk.activation)),
                ("RANGED", f64::from(u8::from(chunk.range.is_some()))),
                ("PROPORTIONAL", f64::from(u8::from(self.is_proportional()))),
            ],
            bindings: vec![
                Binding::Read(self.0.behind.behind.span()),
                Binding::Read(self.0.next.span()),
                Binding::Read(self.weights(places).span()),
                Binding::Read(chunk.range.unwrap_or(self.0.next).span()),
                Binding::Write(whole(self.0.behind.out, places.terms_len)),
            ],
            parameters: words
                .into_iter()
                .chain(more)
                .map(|word| word as u32)
                .chain([chunk.step_size.to_bits()])
                .collect(),
            workgroups: folded(elements.div_ceil(WORKGROUP as usize)),
        }
    }

    /// `[U, V]`: the weights of the chunk's units to the layer behind.
    fn weights(&self, places: &Places) -> Tensor {
        let weight = self.0.behind.weight;
        Tensor { offset: weight.offset + places.before * weight.columns, rows: places.units, ..weight }
    }

    /// The sums over the units behind, `[S C, U]` each.
    fn products(&self, places: &Places) -> Vec<Matmul> {
        let (width, classes) = (self.0.next.rows, self.0.next.columns);
        let part = |of: Tensor, at: usize, rows: usize, columns: usize| Tensor {
            buffer: of.buffer,
            offset: of.offset + at,
            rows,
            columns,
        };
        let rows = places.samples * classes;
        let product = |terms: usize, b: Tensor, out: usize| Matmul {
            a: part(self.0.behind.out, terms, rows, width),
            transpose_a: false,
            b,
            transpose_b: true,
            bias: None,
            out: part(self.0.difference.moves, out, rows, places.units),
        };
        let first = product(0, self.weights(places), 0);
        if self.is_proportional() {
            return vec![first];
        }
        let squares = part(self.0.behind.out, places.squares, places.units, width);
        vec![first, product(places.second, squares, places.squared)]
    }

    fn curves(&self, places: &Places) -> Dispatch {
        let (chunk, op) = (&self.0.behind.chunk, &self.0.difference);
        let (output, epsilon) = output_code(op.output);
        let (nodes, tables) = node_constants(chunk.nodes);
        let curves = chunk.pre_activations.len();
        let mut constants = vec![
            ("WORKGROUP", WORKGROUP.into()),
            ("ACTIVATION", activation_code(chunk.activation)),
            ("OUTPUT", output),
            ("PROPORTIONAL", f64::from(u8::from(self.is_proportional()))),
        ];
        constants.extend(nodes);
        let counts =
            [chunk.count, chunk.first, curves, chunk.pre_activations.columns, self.0.next.columns, self.0.next.rows];
        let chosen = [places.samples, places.begin, places.units, places.before];
        let parts = [places.third, places.distances, places.largest, places.cubes, places.squared, 0];
        let numbers = [epsilon, 0.5 / chunk.pre_activations.rows as f32, op.tolerance, 0.0];
        Dispatch {
            name: "probe_sums",
            source: shader!(
                "probe_sums",
                "grid",
                "numerics",
                "activations",
                "units",
                "loss_slope",
                "loss_change",
                "curve_nodes",
                "curve_fit"
            ),
            constants,
            bindings: vec![
                Binding::Read(chunk.pre_activations.span()),
                Binding::Read(whole(op.moves, places.sums_len)),
                Binding::Write(whole(self.0.behind.out, places.terms_len)),
                Binding::Read(self.weights(places).span()),
                Binding::Read(op.y.span()),
                Binding::Read(op.targets.span()),
                Binding::Write(op.coefficients.span()),
                Binding::Write(op.errors.span()),
            ],
            parameters: counts
                .into_iter()
                .chain(chosen)
                .chain(parts)
                .map(|word| word as u32)
                .chain(numbers.into_iter().chain(tables).map(f32::to_bits))
                .collect(),
            workgroups: folded(chunk.count.div_ceil(WORKGROUP as usize)),
        }
    }
}

/// So many floats from a tensor's start on.
fn whole(tensor: Tensor, len: usize) -> Span {
    Tensor { rows: 1, columns: len, ..tensor }.span()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_hold_every_curve_once_and_no_part_of_two_samples() {
        for (curves, units) in [(0..1, 1), (0..66, 33), (3..22, 5), (100..102, 101), (7..500, 100)] {
            for step in [16, 48, units, 2 * units, 1_000 * units] {
                let mut next = curves.start;
                for piece in cut(curves.clone(), units, step) {
                    assert!(piece.start == next && !piece.is_empty() && piece.len() <= step, "{piece:?} by {step}");
                    let (first, last) = (piece.start / units, (piece.end - 1) / units);
                    assert!(step >= units || first == last, "{piece:?} by {step} of {units}");
                    next = piece.end;
                }
                assert_eq!(next, curves.end);
            }
        }
    }
}
