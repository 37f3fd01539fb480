//! Probes on the host in float64, parameter by parameter: for the few curves behind which hidden layers stand and whose
//! polynomial is not trusted (a kink of a ReLU within reach, mostly). There the rounding of every pre-activation on the
//! way counts, and how many such curves there are is known only when the device has looked.

use std::thread;

use super::piecewise::Pieces;
use super::wide::{activate, activation_change, outputs};
use crate::backend::cpu::wide::{TOGETHER, Together, add_changes, add_rows, loss_changes, relu_changes};
use crate::network::{Activation, Architecture, LayerLayout};

/// A network and a batch.
pub(super) struct Problem<'a> {
    pub(super) architecture: &'a Architecture,
    pub(super) layers: &'a [LayerLayout],
    /// Laid out as the layers say.
    pub(super) parameters: &'a [f32],
    /// `[N, I]`
    pub(super) inputs: &'a [f32],
    /// `[N]`
    pub(super) targets: &'a [u32],
}

impl Problem<'_> {
    pub(super) fn weight(&self, layer: usize) -> &[f32] {
        &self.parameters[self.layers[layer].weight.range()]
    }

    /// The weights of a layer from its input `i`.
    pub(super) fn weight_row(&self, layer: usize, i: usize) -> &[f32] {
        let width = self.layers[layer].weight.columns;
        &self.weight(layer)[i * width..(i + 1) * width]
    }

    /// The activation behind a layer; the logits' is none.
    pub(super) fn activation(&self, layer: usize) -> Activation {
        if layer + 1 < self.layers.len() { self.architecture.activation } else { Activation::Identity }
    }
}

/// The part of a layer's gradient that some curves contribute.
pub(super) struct Contribution {
    /// By units, those alone that have such curves: to the weights from all inputs, and to the bias.
    pub(super) units: Vec<(usize, Vec<f64>, f64)>,
    /// Probes made: of one sample by one parameter value each.
    pub(super) probes: u64,
}

/// What each listed curve adds to the gradient of `layer`: `1/(2hN) (C(h x[n, i]) - C(-h x[n, i]))` for its weights,
/// and the same with `x = 1` for its bias; with `one_sided` `1/(hN) C(h x)`. `listed[j]` are the samples of unit `j`.
/// Equal inputs of a sample are probed once.
pub(super) fn contribution(
    problem: &Problem<'_>,
    layer: usize,
    listed: &[Vec<usize>],
    step_size: f32,
    one_sided: bool,
) -> Contribution {
    let inputs = problem.layers[layer].weight.rows;
    let mut wanted = vec![false; problem.targets.len()];
    listed.iter().flatten().for_each(|&n| wanted[n] = true);
    let samples: Vec<usize> = (0..wanted.len()).filter(|&n| wanted[n]).collect();
    let mut states: Vec<Option<State>> = wanted.iter().map(|_| None).collect();
    let computed = in_parallel(&samples, |&n| State::new(problem, n, layer));
    for (n, state) in samples.into_iter().zip(computed) {
        states[n] = Some(state);
    }
    let numbers: Vec<usize> = (0..listed.len()).filter(|&j| !listed[j].is_empty()).collect();
    let probe = Probe { problem, layer, h: f64::from(step_size), one_sided };
    let columns = in_parallel(&numbers, |&j| {
        let (mut column, mut bias, mut probes) = (vec![0.0; inputs], 0.0, 0);
        let mut room = Room::default();
        for state in listed[j].iter().filter_map(|&n| states[n].as_ref()) {
            probe.quotients(state, j, &mut room);
            for ((_, places), quotient) in state.groups.iter().zip(room.quotients.as_flattened()) {
                for &place in places {
                    // The last of the groups is the bias.
                    *column.get_mut(place).unwrap_or(&mut bias) += quotient;
                }
            }
            probes += 2 * state.groups.len() as u64;
        }
        (column, bias, probes)
    });
    let probes = columns.iter().map(|(_, _, probes)| probes).sum();
    let units = numbers.into_iter().zip(columns).map(|(j, (column, bias, _))| (j, column, bias)).collect();
    Contribution { units, probes }
}

/// One sample of the unperturbed network.
struct State {
    n: usize,
    /// Pre-activations of the probed layer and those behind it.
    pre_activations: Vec<Vec<f64>>,
    outputs: Vec<f64>,
    /// Each input of the probed layer that is not 0, and where it stands; then the bias's, behind the last place.
    groups: Vec<(f64, Vec<usize>)>,
}

impl State {
    fn new(problem: &Problem<'_>, n: usize, probed: usize) -> Self {
        let width = problem.architecture.inputs();
        let mut values: Vec<f64> = problem.inputs[n * width..(n + 1) * width].iter().map(|&x| x.into()).collect();
        let (mut pre_activations, mut groups) = (Vec::new(), Vec::new());
        for (index, layer) in problem.layers.iter().enumerate() {
            if index == probed {
                groups = grouped(&values);
                groups.push((1.0, vec![values.len()]));
            }
            let mut a: Vec<f64> = problem.parameters[layer.bias.range()].iter().map(|&bias| bias.into()).collect();
            add_rows(&values, problem.weight(index), &mut a);
            values = a.iter().map(|&a| activate(problem.activation(index), a)).collect();
            if index >= probed {
                pre_activations.push(a);
            }
        }
        let outputs = outputs(problem.architecture.output, &values);
        Self { n, pre_activations, outputs, groups }
    }
}

/// The values other than 0, each with the places where it stands.
fn grouped(values: &[f64]) -> Vec<(f64, Vec<usize>)> {
    let mut places: Vec<usize> = (0..values.len()).filter(|&i| values[i] != 0.0).collect();
    places.sort_by(|&a, &b| values[a].total_cmp(&values[b]).then(a.cmp(&b)));
    let runs = places.chunk_by(|&a, &b| values[a].to_bits() == values[b].to_bits());
    runs.map(|run| (values[run[0]], run.to_vec())).collect()
}

/// How parameters are probed.
struct Probe<'a> {
    problem: &'a Problem<'a>,
    layer: usize,
    h: f64,
    one_sided: bool,
}

/// Room to work in.
#[derive(Default)]
struct Room {
    shifts: Vec<Together>,
    changes: Vec<Together>,
    quotients: Vec<Together>,
    pieces: Pieces,
    /// Moves of a layer's units, and of the next.
    here: Vec<Together>,
    next: Vec<Together>,
}

impl Probe<'_> {
    /// What weights into unit `j` get from this sample, for each group of equal inputs: `room.quotients`.
    fn quotients(&self, state: &State, j: usize, room: &mut Room) {
        room.shifts.clear();
        for groups in state.groups.chunks(TOGETHER) {
            let mut s = [0.0; TOGETHER];
            s.iter_mut().zip(groups).for_each(|(s, group)| *s = self.h * group.0);
            room.shifts.push(s);
        }
        let sides = if self.one_sided { 1.0 } else { 2.0 };
        let scale = 1.0 / (sides * self.h * self.problem.targets.len() as f64);
        self.changes(state, j, room);
        room.quotients.clone_from(&room.changes);
        if !self.one_sided {
            room.shifts.as_flattened_mut().iter_mut().for_each(|s| *s = -*s);
            self.changes(state, j, room);
            let down = room.changes.as_flattened();
            room.quotients.as_flattened_mut().iter_mut().zip(down).for_each(|(up, down)| *up -= down);
        }
        room.quotients.as_flattened_mut().iter_mut().for_each(|quotient| *quotient *= scale);
    }

    /// `C(s)` for all of `room.shifts`: `room.changes`.
    fn changes(&self, state: &State, j: usize, room: &mut Room) {
        let (output, target) = (self.problem.architecture.output, self.problem.targets[state.n] as usize);
        let relu = self.problem.activation(self.layer) == Activation::Relu;
        let in_pieces = relu && room.pieces.follow(self.problem, self.layer, &state.pre_activations, j, &room.shifts);
        room.changes.clear();
        for place in 0..room.shifts.len() {
            let mut changes = [0.0; TOGETHER];
            if in_pieces {
                loss_changes(output, &state.outputs, room.pieces.logit_moves(place), target, &mut changes);
            } else {
                self.follow(state, j, place, room);
                loss_changes(output, &state.outputs, &room.here, target, &mut changes);
            }
            room.changes.push(changes);
        }
    }

    /// How the logits move by the eight shifts at `place`: `room.here`.
    fn follow(&self, state: &State, j: usize, place: usize, room: &mut Room) {
        let (problem, layers) = (self.problem, self.problem.layers);
        let activation = problem.activation(self.layer);
        let change = room.shifts[place].map(|s| activation_change(activation, state.pre_activations[0][j], s));
        room.here.clear();
        let row = problem.weight_row(self.layer + 1, j);
        room.here.extend(row.iter().map(|&weight| change.map(|change| change * f64::from(weight))));
        for index in self.layer + 1..layers.len() - 1 {
            let a = &state.pre_activations[index - self.layer];
            match problem.activation(index) {
                Activation::Relu => relu_changes(a, &mut room.here),
                activation => {
                    for (moves, &a) in room.here.iter_mut().zip(a) {
                        *moves = moves.map(|moved| activation_change(activation, a, moved));
                    }
                }
            }
            room.next.clear();
            room.next.resize(layers[index + 1].weight.columns, [0.0; TOGETHER]);
            add_changes(&room.here, problem.weight(index + 1), &mut room.next);
            std::mem::swap(&mut room.here, &mut room.next);
        }
    }
}

/// `map` of every item, in order, on all cores.
fn in_parallel<T: Sync, R: Send>(items: &[T], map: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // Neighbouring items cost about the same, so every thread takes some from everywhere.
    let part = |thread: usize| -> Vec<R> { items.iter().skip(thread).step_by(cores).map(&map).collect() };
    let part = &part;
    let mut parts: Vec<std::vec::IntoIter<R>> = thread::scope(|scope| {
        let others: Vec<_> = (1..cores).map(|thread| scope.spawn(move || part(thread))).collect();
        let first = part(0);
        let others =
            others.into_iter().map(|other| other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        std::iter::once(first).chain(others).map(Vec::into_iter).collect()
    });
    (0..items.len()).filter_map(|index| parts[index % cores].next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient::wide;
    use crate::network::{Initialization, Network, OutputLoss};

    /// Moves of the logits in pieces are what following each shift gives, kinks within reach or not; and losses change as
    /// their definitions say.
    #[test]
    fn pieces_are_what_is_followed() {
        let output = OutputLoss::CrossEntropy { epsilon: 1e-7 };
        let architecture = Architecture::new(vec![7, 9, 8, 6, 10], Activation::Relu, output).unwrap();
        let network = Network::initialized(architecture, Initialization::He, 3);
        let inputs: Vec<f32> = (0..21).map(|i| (i * 37 % 19) as f32 / 19.0).collect();
        let problem = Problem {
            architecture: &network.architecture,
            layers: network.layout.layers(),
            parameters: &network.parameters,
            inputs: &inputs,
            targets: &[3, 0, 9],
        };
        // Curves with kinks behind, and moves that differ from those before: equal ones would show nothing.
        let (mut bent, mut differ, mut last) = (0, 0, Vec::new());
        for (h, layer) in [(1e-4, 0), (0.5, 0), (0.5, 1), (3.0, 0), (3.0, 1)] {
            let probe = Probe { problem: &problem, layer, h, one_sided: false };
            for n in 0..3 {
                let state = State::new(&problem, n, layer);
                let mut room = Room::default();
                for j in 0..problem.layers[layer].weight.columns {
                    room.shifts =
                        (0..4).map(|i| std::array::from_fn(|lane| h * ((8 * i + lane) as f64 - 15.5))).collect();
                    assert!(room.pieces.follow(&problem, layer, &state.pre_activations, j, &room.shifts));
                    bent += usize::from(room.pieces.functions() > 1);
                    for place in 0..4 {
                        probe.follow(&state, j, place, &mut room);
                        let expected = room.here.clone();
                        let got = room.pieces.logit_moves(place).to_vec();
                        for (got, expected) in got.as_flattened().iter().zip(expected.as_flattened()) {
                            assert!((got - expected).abs() <= 1e-13 * h, "{got}, {expected}");
                        }
                        differ += usize::from(last != got);
                        last = got;
                    }
                }
            }
        }
        assert!(bent > 50 && differ > 200, "{bent} curves with kinks behind, {differ} moves differ");
    }

    #[test]
    fn losses_change_as_their_definitions_say() {
        let logits = [0.3, -1.2, 2.0];
        for scale in [1e-5, 0.01, 1.0] {
            let moves: Vec<Together> = (0..3)
                .map(|k| std::array::from_fn(|lane| scale * ((k * 5 + lane * 3) % 7) as f64 - 3.0 * scale))
                .collect();
            for output in [
                OutputLoss::CrossEntropy { epsilon: 0.0 },
                OutputLoss::CrossEntropy { epsilon: 0.01 },
                OutputLoss::SoftmaxSumOfSquares,
                OutputLoss::SumOfSquares,
            ] {
                for target in 0..3 {
                    let (y, mut got) = (outputs(output, &logits), [0.0; TOGETHER]);
                    loss_changes(output, &y, &moves, target, &mut got);
                    for lane in 0..TOGETHER {
                        let one: Vec<f64> = moves.iter().map(|moves| moves[lane]).collect();
                        let expected = wide::loss_change(output, &y, &one, target);
                        let error = (got[lane] - expected).abs();
                        assert!(error <= 1e-14 * scale, "{output:?}, class {target}: {}, {expected}", got[lane]);
                    }
                }
            }
        }
    }

    #[test]
    fn equal_inputs_are_grouped() {
        let groups = grouped(&[0.5, 0.0, 0.25, 0.5, -1.0]);
        assert_eq!(groups, [(-1.0, vec![4]), (0.25, vec![2]), (0.5, vec![0, 3])]);
    }

    #[test]
    fn results_come_in_the_order_of_the_items() {
        for count in [0, 1, 2, 7, 100] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(in_parallel(&items, |&item| item * item), items.iter().map(|&i| i * i).collect::<Vec<_>>());
        }
    }
}
