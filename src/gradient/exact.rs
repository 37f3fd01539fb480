//! Probes on the host in float64, parameter by parameter: for the few curves behind which hidden layers stand and whose
//! polynomial is not trusted (a kink of a ReLU within reach, mostly). There the rounding of every pre-activation on the
//! way counts, and how many such curves there are is known only when the device has looked.

use std::thread;

use super::wide::{activate, activation_change, loss_change, outputs};
use crate::backend::cpu::wide::{TOGETHER, Together, add_changes, add_rows, relu_changes};
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
    fn weight(&self, layer: usize) -> &[f32] {
        &self.parameters[self.layers[layer].weight.range()]
    }

    /// The activation behind a layer; the logits' is none.
    fn activation(&self, layer: usize) -> Activation {
        if layer + 1 < self.layers.len() { self.architecture.activation } else { Activation::Identity }
    }
}

/// The part of a layer's gradient that some curves contribute.
pub(super) struct Contribution {
    /// `[I, U]`
    pub(super) weight: Vec<f64>,
    /// `[U]`
    pub(super) bias: Vec<f64>,
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
    let (inputs, units) = (problem.layers[layer].weight.rows, listed.len());
    let mut wanted = vec![false; problem.targets.len()];
    listed.iter().flatten().for_each(|&n| wanted[n] = true);
    let samples: Vec<usize> = (0..wanted.len()).filter(|&n| wanted[n]).collect();
    let mut states: Vec<Option<State>> = wanted.iter().map(|_| None).collect();
    let computed = in_parallel(&samples, |&n| State::new(problem, n, layer));
    for (n, state) in samples.into_iter().zip(computed) {
        states[n] = Some(state);
    }
    let numbers: Vec<usize> = (0..units).filter(|&j| !listed[j].is_empty()).collect();
    let probe = Probe { problem, layer, h: f64::from(step_size), one_sided };
    let columns = in_parallel(&numbers, |&j| {
        let (mut column, mut bias, mut probes) = (vec![0.0; inputs], 0.0, 0);
        let mut moves = Moves::default();
        for state in listed[j].iter().filter_map(|&n| states[n].as_ref()) {
            for groups in state.groups.chunks(TOGETHER) {
                let mut x = [0.0; TOGETHER];
                x.iter_mut().zip(groups).for_each(|(x, group)| *x = group.0);
                let quotients = probe.quotients(state, j, &x, &mut moves);
                for ((_, places), quotient) in groups.iter().zip(quotients) {
                    for &place in places {
                        // The last of the groups is the bias.
                        *column.get_mut(place).unwrap_or(&mut bias) += quotient;
                    }
                }
            }
            probes += 2 * state.groups.len() as u64;
        }
        (column, bias, probes)
    });
    let mut sum = Contribution { weight: vec![0.0; inputs * units], bias: vec![0.0; units], probes: 0 };
    for (j, (column, bias, probes)) in numbers.into_iter().zip(columns) {
        column.into_iter().enumerate().for_each(|(i, value)| sum.weight[i * units + j] = value);
        sum.bias[j] = bias;
        sum.probes += probes;
    }
    sum
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

/// Moves of a layer's units, and room for those of the next.
#[derive(Default)]
struct Moves {
    here: Vec<Together>,
    next: Vec<Together>,
}

impl Probe<'_> {
    /// What weights into unit `j` whose inputs are `x` get from this sample.
    fn quotients(&self, state: &State, j: usize, x: &Together, moves: &mut Moves) -> Together {
        let s = x.map(|x| self.h * x);
        let up = self.changes(state, j, &s, moves);
        let (down, sides) = match self.one_sided {
            true => ([0.0; TOGETHER], 1.0),
            false => (self.changes(state, j, &s.map(|s| -s), moves), 2.0),
        };
        let samples = self.problem.targets.len() as f64;
        std::array::from_fn(|lane| (up[lane] - down[lane]) / (sides * self.h * samples))
    }

    /// `C(s)`
    fn changes(&self, state: &State, j: usize, s: &Together, moves: &mut Moves) -> Together {
        let (problem, layers) = (self.problem, self.problem.layers);
        let activation = problem.activation(self.layer);
        let change = s.map(|s| activation_change(activation, state.pre_activations[0][j], s));
        if change == [0.0; TOGETHER] {
            return change;
        }
        let width = layers[self.layer + 1].weight.columns;
        let row = &problem.weight(self.layer + 1)[j * width..(j + 1) * width];
        moves.here.clear();
        moves.here.extend(row.iter().map(|&weight| change.map(|change| change * f64::from(weight))));
        for index in self.layer + 1..layers.len() - 1 {
            let a = &state.pre_activations[index - self.layer];
            match problem.activation(index) {
                Activation::Relu => relu_changes(a, &mut moves.here),
                activation => {
                    for (moves, &a) in moves.here.iter_mut().zip(a) {
                        *moves = moves.map(|moved| activation_change(activation, a, moved));
                    }
                }
            }
            moves.next.clear();
            moves.next.resize(layers[index + 1].weight.columns, [0.0; TOGETHER]);
            add_changes(&moves.here, problem.weight(index + 1), &mut moves.next);
            std::mem::swap(&mut moves.here, &mut moves.next);
        }
        let target = problem.targets[state.n] as usize;
        let mut logits = vec![0.0; moves.here.len()];
        std::array::from_fn(|lane| {
            logits.iter_mut().zip(&moves.here).for_each(|(logit, moves)| *logit = moves[lane]);
            loss_change(problem.architecture.output, &state.outputs, &logits, target)
        })
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
