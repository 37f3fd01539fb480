//! Curves of ReLU networks in float64: of all parameters into one unit at once.
//!
//! Between the kinks on its way a curve moves every pre-activation in proportion to the probed unit's value. So the moves
//! of a layer are sums of a few functions of the shift: the probed unit's own change, and that of each unit behind it that
//! meets its kink, with coefficients that go through a layer as one sample does. Nothing is linearised: a unit that may
//! meet its kink becomes a function of its own, with its change at every shift.

use super::exact::Problem;
use crate::backend::cpu::wide::{TOGETHER, Together, add_rows, add_scaled, relu_changes};

/// A unit whose distance from its kink is this much more than its largest move does not meet it: what sums of float64 may
/// have rounded off is far less.
const MARGIN: f64 = 1.0 + 1e-9;

/// Functions of the shift, and the moves of one layer's units as sums of them.
#[derive(Default)]
pub(super) struct Pieces {
    /// `[functions][shifts / 8]`
    functions: Vec<Vec<Together>>,
    /// The largest magnitude of each.
    reaches: Vec<f64>,
    /// `[functions][units]`
    coefficients: Vec<Vec<f64>>,
    /// How the logits move at some shifts.
    moves: Vec<Together>,
}

impl Pieces {
    /// Follows unit `j` of `layer` by all `shifts` to the logits. `pre_activations` are those of that layer and the ones
    /// behind it. False where so many units meet kinks that each shift is better followed on its own.
    pub(super) fn follow(
        &mut self,
        problem: &Problem<'_>,
        layer: usize,
        pre_activations: &[Vec<f64>],
        j: usize,
        shifts: &[Together],
    ) -> bool {
        self.functions.clear();
        self.reaches.clear();
        self.coefficients.clear();
        let mut change = shifts.to_vec();
        relu_changes(&vec![pre_activations[0][j]; shifts.len()], &mut change);
        self.add_function(change, problem.weight_row(layer + 1, j));
        for index in layer + 1..problem.layers.len() - 1 {
            if !self.pass_units(&pre_activations[index - layer], problem, index + 1, shifts.len()) {
                return false;
            }
        }
        true
    }

    /// Through the ReLUs of pre-activations `a` and the weights of layer `next`.
    fn pass_units(&mut self, a: &[f64], problem: &Problem<'_>, next: usize, shifts: usize) -> bool {
        let mut bounds = vec![0.0; a.len()];
        for (coefficients, reach) in self.coefficients.iter().zip(&self.reaches) {
            bounds.iter_mut().zip(coefficients).for_each(|(bound, c)| *bound += c.abs() * reach);
        }
        let kinked: Vec<usize> = (0..a.len()).filter(|&k| a[k].abs() <= bounds[k] * MARGIN).collect();
        let old = self.functions.len();
        if old + kinked.len() > shifts * TOGETHER / 2 {
            return false;
        }
        let mut bent = Vec::with_capacity(kinked.len());
        for &k in &kinked {
            let mut moves = vec![[0.0; TOGETHER]; shifts];
            for (function, coefficients) in self.functions.iter().zip(&self.coefficients) {
                add_scaled(function, coefficients[k], &mut moves);
            }
            relu_changes(&vec![a[k]; shifts], &mut moves);
            bent.push(moves);
        }
        let width = problem.layers[next].weight.columns;
        for coefficients in &mut self.coefficients {
            coefficients.iter_mut().zip(a).filter(|(_, a)| **a <= 0.0).for_each(|(c, _)| *c = 0.0);
            kinked.iter().for_each(|&k| coefficients[k] = 0.0);
            let mut behind = vec![0.0; width];
            add_rows(coefficients, problem.weight(next), &mut behind);
            *coefficients = behind;
        }
        for (k, function) in kinked.into_iter().zip(bent) {
            self.add_function(function, problem.weight_row(next, k));
        }
        true
    }

    /// A function, and the row of weights through which it moves the next layer. One that is 0 everywhere is left out.
    fn add_function(&mut self, function: Vec<Together>, row: &[f32]) {
        let reach = function.iter().flatten().fold(0.0f64, |most, value| most.max(value.abs()));
        if reach > 0.0 || self.functions.is_empty() {
            self.functions.push(function);
            self.reaches.push(reach);
            self.coefficients.push(row.iter().map(|&weight| weight.into()).collect());
        }
    }

    /// How the logits move at the eight shifts at `place`: `[C]`.
    pub(super) fn logit_moves(&mut self, place: usize) -> &[Together] {
        let classes = self.coefficients.first().map_or(0, Vec::len);
        self.moves.clear();
        self.moves.resize(classes, [0.0; TOGETHER]);
        for (function, coefficients) in self.functions.iter().zip(&self.coefficients) {
            for (moves, &coefficient) in self.moves.iter_mut().zip(coefficients) {
                add_scaled(&function[place..=place], coefficient, std::slice::from_mut(moves));
            }
        }
        &self.moves
    }

    /// How many functions there are: one, and one for each unit that meets its kink.
    #[cfg(test)]
    pub(super) fn functions(&self) -> usize {
        self.functions.len()
    }
}
