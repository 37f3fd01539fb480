//! Probes on the host in float64, parameter by parameter: for the few curves behind which hidden layers stand and whose
//! polynomial is not trusted (a kink of a ReLU within reach, mostly). There the rounding of every pre-activation on the
//! way counts, and how many such curves there are is known only when the device has looked.

use std::thread;

use super::wide::{Wide, activate, activation_change, loss_change, outputs};

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
    wide: &Wide<'_>,
    layer: usize,
    listed: &[Vec<usize>],
    step_size: f32,
    one_sided: bool,
) -> Contribution {
    let (inputs, units) = (wide.layers()[layer].weight.rows, listed.len());
    let mut wanted = vec![false; wide.targets.len()];
    listed.iter().flatten().for_each(|&n| wanted[n] = true);
    let samples: Vec<usize> = (0..wanted.len()).filter(|&n| wanted[n]).collect();
    let mut states: Vec<Option<State>> = wanted.iter().map(|_| None).collect();
    let computed = in_parallel(&samples, |&n| State::new(wide, n, layer));
    for (n, state) in samples.into_iter().zip(computed) {
        states[n] = Some(state);
    }
    let numbers: Vec<usize> = (0..units).filter(|&j| !listed[j].is_empty()).collect();
    let probe = Probe { wide, layer, h: f64::from(step_size), one_sided };
    let columns = in_parallel(&numbers, |&j| {
        let (mut column, mut bias, mut probes) = (vec![0.0; inputs], 0.0, 0);
        for state in listed[j].iter().filter_map(|&n| states[n].as_ref()) {
            for (x, places) in &state.groups {
                let quotient = probe.quotient(state, j, *x);
                places.iter().for_each(|&i| column[i] += quotient);
            }
            bias += probe.quotient(state, j, 1.0);
            probes += 2 * (state.groups.len() as u64 + 1);
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
    /// Each input of the probed layer that is not 0, and where it stands.
    groups: Vec<(f64, Vec<usize>)>,
}

impl State {
    fn new(wide: &Wide<'_>, n: usize, probed: usize) -> Self {
        let layers = wide.layers();
        let width = layers[0].weight.rows;
        let mut values = wide.inputs[n * width..(n + 1) * width].to_vec();
        let (mut pre_activations, mut groups) = (Vec::new(), Vec::new());
        for (index, layer) in layers.iter().enumerate() {
            if index == probed {
                groups = grouped(&values);
            }
            let mut a = wide.parameters[layer.bias.range()].to_vec();
            let weight = &wide.parameters[layer.weight.range()];
            for (&value, row) in values.iter().zip(weight.chunks_exact(layer.weight.columns)) {
                if value != 0.0 {
                    a.iter_mut().zip(row).for_each(|(a, weight)| *a += value * weight);
                }
            }
            values = a.iter().map(|&a| activate(wide.activation(index), a)).collect();
            if index >= probed {
                pre_activations.push(a);
            }
        }
        let outputs = outputs(wide.network.architecture.output, &values);
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

/// How a parameter is probed.
struct Probe<'a> {
    wide: &'a Wide<'a>,
    layer: usize,
    h: f64,
    one_sided: bool,
}

impl Probe<'_> {
    /// What a weight into unit `j` whose input is `x` gets from this sample.
    fn quotient(&self, state: &State, j: usize, x: f64) -> f64 {
        let s = self.h * x;
        let (down, sides) = if self.one_sided { (0.0, 1.0) } else { (self.change(state, j, -s), 2.0) };
        (self.change(state, j, s) - down) / (sides * self.h * self.wide.targets.len() as f64)
    }

    /// `C(s)`
    fn change(&self, state: &State, j: usize, s: f64) -> f64 {
        let layers = self.wide.layers();
        let activation = self.wide.activation(self.layer);
        let change = activation_change(activation, state.pre_activations[0][j], s);
        let weight_of =
            |index: usize| (&self.wide.parameters[layers[index].weight.range()], layers[index].weight.columns);
        let (weight, width) = weight_of(self.layer + 1);
        let mut moves: Vec<f64> = weight[j * width..(j + 1) * width].iter().map(|weight| change * weight).collect();
        for index in self.layer + 1..layers.len() - 1 {
            let (weight, width) = weight_of(index + 1);
            let mut behind = vec![0.0; width];
            let units = moves.iter().zip(&state.pre_activations[index - self.layer]);
            for ((&moved, &a), row) in units.zip(weight.chunks_exact(width)) {
                let change = activation_change(self.wide.activation(index), a, moved);
                if change != 0.0 {
                    behind.iter_mut().zip(row).for_each(|(behind, weight)| *behind += change * weight);
                }
            }
            moves = behind;
        }
        loss_change(self.wide.network.architecture.output, &state.outputs, &moves, self.wide.targets[state.n])
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
