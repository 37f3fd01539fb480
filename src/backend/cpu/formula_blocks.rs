//! Formulas at many points, in float64 or float32: a block of points at a time, so that each operation of the program is
//! a short loop of vector instructions over numbers that are in the cache.
//!
//! Quotients are the literal ones, values at moved points subtracted. Of the program only what the moved variable
//! reaches is computed again.

use std::sync::{Mutex, PoisonError};

use super::simd::{Baseline, Float, vectorized};
use super::wide_math;
use crate::formula::{Binary, Node, Program, Unary};

/// Points of a block: 1 KiB of float64 for each node of a program, twice over.
const LANES: usize = 128;

/// A number at each point of a block.
type Block<T> = [T; LANES];

/// The two types of numbers. Functions are float64's own for both, rounded once.
pub(crate) trait Lane:
    Copy
    + Send
    + Sync
    + Default
    + PartialOrd
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::Div<Output = Self>
    + std::ops::Neg<Output = Self>
{
    fn wide(self) -> f64;
    fn narrow(value: f64) -> Self;
    fn size(self) -> Self;
    fn root(self) -> Self;
    fn pass(pass: &mut Pass<'_, Self>);
}

impl Lane for f64 {
    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }

    #[inline(always)]
    fn narrow(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn size(self) -> Self {
        self.abs()
    }

    #[inline(always)]
    fn root(self) -> Self {
        self.sqrt()
    }

    fn pass(pass: &mut Pass<'_, Self>) {
        pass_f64(pass);
    }
}

impl Lane for f32 {
    #[inline(always)]
    fn wide(self) -> f64 {
        self.into()
    }

    #[inline(always)]
    fn narrow(value: f64) -> Self {
        value as Self
    }

    #[inline(always)]
    fn size(self) -> Self {
        self.abs()
    }

    #[inline(always)]
    fn root(self) -> Self {
        self.sqrt()
    }

    /// Nobody asks for many points in float32 here: one version of the loops will do.
    fn pass(pass: &mut Pass<'_, Self>) {
        body::<Baseline, Self>(pass);
    }
}

/// Part of a program, over one block.
pub(crate) struct Pass<'a, T> {
    program: &'a Program,
    /// Which nodes are computed; the others stand in `known`.
    computed: &'a [bool],
    /// Values that hold already.
    known: &'a [Block<T>],
    /// Where the computed ones go.
    to: &'a mut [Block<T>],
}

vectorized! {
    fn pass_f64(pass: &mut Pass<'_, f64>) = pass_f64_body
}

#[inline(always)]
fn pass_f64_body<F: Float>(pass: &mut Pass<'_, f64>) {
    body::<F, f64>(pass);
}

#[inline(always)]
fn body<F: Float, T: Lane>(pass: &mut Pass<'_, T>) {
    for (index, node) in pass.program.nodes().iter().enumerate() {
        if !pass.computed[index] {
            continue;
        }
        let (before, rest) = pass.to.split_at_mut(index);
        let Some(out) = rest.first_mut() else { return };
        let operand = |node: usize| if pass.computed[node] { &before[node] } else { &pass.known[node] };
        match *node {
            // These are laid out before.
            Node::Constant(_) | Node::Variable(_) => {}
            Node::Unary(operation, a) => unary::<F, T>(operation, operand(a), out),
            Node::Binary(operation, a, b) => binary::<T>(operation, operand(a), operand(b), out),
        }
    }
}

#[inline(always)]
fn unary<F: Float, T: Lane>(operation: Unary, a: &Block<T>, out: &mut Block<T>) {
    match operation {
        Unary::Negate => each(a, out, |a| -a),
        Unary::Absolute => each(a, out, T::size),
        Unary::SquareRoot => each(a, out, T::root),
        Unary::Exponential => each(a, out, |a| T::narrow(wide_math::exp::<F>(a.wide()))),
        Unary::Logarithm => each(a, out, |a| T::narrow(wide_math::ln::<F>(a.wide()))),
        Unary::HyperbolicTangent => each(a, out, |a| T::narrow(wide_math::tanh::<F>(a.wide()))),
        Unary::Sine => {
            each(a, out, |a| T::narrow(wide_math::sin_cos::<F>(a.wide()).0));
            beyond(a, out, f64::sin);
        }
        Unary::Cosine => {
            each(a, out, |a| T::narrow(wide_math::sin_cos::<F>(a.wide()).1));
            beyond(a, out, f64::cos);
        }
        Unary::Tangent => {
            each(a, out, |a| {
                let (sine, cosine) = wide_math::sin_cos::<F>(a.wide());
                T::narrow(sine / cosine)
            });
            beyond(a, out, f64::tan);
        }
    }
}

#[inline(always)]
fn binary<T: Lane>(operation: Binary, a: &Block<T>, b: &Block<T>, out: &mut Block<T>) {
    match operation {
        Binary::Add => pairs(a, b, out, |a, b| a + b),
        Binary::Subtract => pairs(a, b, out, |a, b| a - b),
        Binary::Multiply => pairs(a, b, out, |a, b| a * b),
        Binary::Divide => pairs(a, b, out, |a, b| a / b),
        // Either is NaN where one operand is.
        Binary::Minimum => pairs(a, b, out, |a, b| if a < b || a.wide().is_nan() { a } else { b }),
        Binary::Maximum => pairs(a, b, out, |a, b| if a > b || a.wide().is_nan() { a } else { b }),
        Binary::Power => pairs(a, b, out, |a, b| T::narrow(a.wide().powf(b.wide()))),
    }
}

#[inline(always)]
fn each<T: Lane>(a: &Block<T>, out: &mut Block<T>, f: impl Fn(T) -> T) {
    for lane in 0..LANES {
        out[lane] = f(a[lane]);
    }
}

#[inline(always)]
fn pairs<T: Lane>(a: &Block<T>, b: &Block<T>, out: &mut Block<T>, f: impl Fn(T, T) -> T) {
    for lane in 0..LANES {
        out[lane] = f(a[lane], b[lane]);
    }
}

/// Once more, one by one, where an angle is too large for the short reduction.
#[inline(always)]
fn beyond<T: Lane>(a: &Block<T>, out: &mut Block<T>, f: impl Fn(f64) -> f64) {
    let mut largest = 0.0;
    for lane in 0..LANES {
        let size = a[lane].wide().abs();
        largest = if size > largest { size } else { largest };
    }
    if largest > wide_math::MOST_ANGLE {
        for lane in 0..LANES {
            if a[lane].wide().abs() > wide_math::MOST_ANGLE {
                out[lane] = T::narrow(f(a[lane].wide()));
            }
        }
    }
}

/// What one thread works in.
struct Room<'a, T> {
    program: &'a Program,
    everything: Vec<bool>,
    /// For each variable, what it reaches.
    dependents: Vec<Vec<bool>>,
    /// The node of each variable, where there is one.
    variable_nodes: Vec<Option<usize>>,
    base: Vec<Block<T>>,
    moved: Vec<Block<T>>,
}

impl<'a, T: Lane> Room<'a, T> {
    fn new(program: &'a Program, quotients: bool) -> Self {
        let nodes = program.nodes();
        let variables = 0..program.variables();
        let place = |variable: usize| nodes.iter().position(|node| *node == Node::Variable(variable));
        let mut base = vec![[T::default(); LANES]; nodes.len()];
        for (node, block) in nodes.iter().zip(&mut base) {
            if let Node::Constant(value) = *node {
                *block = [T::narrow(value); LANES];
            }
        }
        Self {
            program,
            everything: vec![true; nodes.len()],
            dependents: if quotients { variables.clone().map(|v| program.dependents(v)).collect() } else { Vec::new() },
            variable_nodes: variables.map(place).collect(),
            moved: if quotients { base.clone() } else { Vec::new() },
            base,
        }
    }

    /// The values at a block of points `[.., V]`, row-major.
    fn values(&mut self, points: &[T]) -> &Block<T> {
        let variables = self.variable_nodes.len();
        for (variable, node) in self.variable_nodes.iter().enumerate() {
            if let Some(node) = *node {
                let block = &mut self.base[node];
                for (lane, point) in points.chunks_exact(variables).enumerate() {
                    block[lane] = point[variable];
                }
                // Lanes without a point do what the last one does.
                let count = points.len() / variables;
                let last = block[count - 1];
                block[count..].fill(last);
            }
        }
        T::pass(&mut Pass { program: self.program, computed: &self.everything, known: &[], to: &mut self.base });
        &self.base[self.base.len() - 1]
    }

    /// The values of a variable, if the program looks at it.
    fn variable(&self, variable: usize) -> Option<&Block<T>> {
        self.variable_nodes[variable].map(|node| &self.base[node])
    }

    /// The values where a variable is elsewhere than [`Room::values`] found it; `None` where it does not matter.
    fn moved(&mut self, variable: usize, to: impl Fn(T) -> T) -> Option<(&Block<T>, &Block<T>)> {
        let node = self.variable_nodes[variable]?;
        for lane in 0..LANES {
            self.moved[node][lane] = to(self.base[node][lane]);
        }
        let computed = &self.dependents[variable];
        T::pass(&mut Pass { program: self.program, computed, known: &self.base, to: &mut self.moved });
        let last = self.base.len() - 1;
        computed[last].then_some((&self.moved[last], &self.base[last]))
    }
}

/// Points that a thread takes at a time: some tens of microseconds' work at least.
const PART: usize = 32 * LANES;

/// Results of some points: the values, and the quotients `[.., V]` or nothing.
struct Part<'a, T> {
    points: &'a [T],
    values: &'a mut [T],
    quotients: &'a mut [T],
}

/// Does every part, on so many threads; whoever is done takes the next one. Every point's result depends on that point
/// alone, so that the split shows in no bit.
fn share<'a, T: Lane>(
    program: &Program,
    points: &'a [T],
    values: &'a mut [T],
    quotients: &'a mut [T],
    threads: usize,
    work: impl Fn(&mut Room<'_, T>, Part<'a, T>) + Sync,
) {
    let variables = program.variables();
    let has_quotients = !quotients.is_empty();
    let mut left = Some(Part { points, values, quotients });
    let parts = std::iter::from_fn(move || {
        let all = left.take()?;
        let count = all.values.len().min(PART);
        let (points, more_points) = all.points.split_at(count * variables);
        let (values, more_values) = all.values.split_at_mut(count);
        let (quotients, more) = all.quotients.split_at_mut(if has_quotients { count * variables } else { 0 });
        if !more_values.is_empty() {
            left = Some(Part { points: more_points, values: more_values, quotients: more });
        }
        (count > 0).then_some(Part { points, values, quotients })
    });
    let threads = threads.min(points.len().div_ceil(PART * variables)).max(1);
    let queue = Mutex::new(parts);
    let (queue, work) = (&queue, &work);
    let one_thread = move || {
        let mut room = Room::new(program, has_quotients);
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(part) = next else { return };
            work(&mut room, part);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(one_thread);
        }
        one_thread();
    });
}

/// The values of a program of `V` variables, one at least, at points `[N, V]`.
pub(crate) fn values<T: Lane>(program: &Program, points: &[T], threads: usize) -> Vec<T> {
    let variables = program.variables();
    let mut values = vec![T::default(); points.len() / variables];
    share(program, points, &mut values, &mut [], threads, |room, part| {
        for (points, values) in part.points.chunks(LANES * variables).zip(part.values.chunks_mut(LANES)) {
            values.copy_from_slice(&room.values(points)[..values.len()]);
        }
    });
    values
}

/// The values `[N]` and the difference quotients by every variable, `[N, V]`, at points `[N, V]`.
///
/// `stencil` are the points of the quotient, as multiples of `h` away from `x`, each with its weight: the quotient is
/// `sum weight f(x + offset h) / h`. It is divided by the step that the type really takes; where that is none at all the
/// quotient is NaN.
pub(crate) fn quotients<T: Lane>(
    program: &Program,
    points: &[T],
    stencil: &[(f64, f64)],
    step_size: f64,
    threads: usize,
) -> (Vec<T>, Vec<T>) {
    let variables = program.variables();
    let moves: Vec<(T, T)> = stencil
        .iter()
        .filter(|(offset, _)| *offset != 0.0)
        .map(|&(offset, weight)| (T::narrow(offset), T::narrow(weight)))
        .collect();
    // Where the nearest point is a number of the type the others are too, nearly always.
    let nearest = stencil.iter().map(|(offset, _)| offset.abs()).filter(|&offset| offset > 0.0);
    let nearest = nearest.fold(f64::INFINITY, f64::min);
    // Nearest points are a step or half of one away, so that the factor is exact.
    let (near, factor) = (T::narrow(nearest * step_size), T::narrow(1.0 / nearest));
    let taken = move |x: T| ((x + near) - x) * factor;
    let mut values = vec![T::default(); points.len() / variables];
    let mut quotients = vec![T::default(); points.len()];
    share(program, points, &mut values, &mut quotients, threads, |room, part| {
        let blocks = part.points.chunks(LANES * variables).zip(part.values.chunks_mut(LANES));
        for ((points, values), quotients) in blocks.zip(part.quotients.chunks_mut(LANES * variables)) {
            values.copy_from_slice(&room.values(points)[..values.len()]);
            for variable in 0..variables {
                let mut sums = [T::default(); LANES];
                for &(offset, weight) in &moves {
                    // The weights sum to 0: differences to the value itself lose nothing, and no constant multiplies.
                    if let Some((moved, base)) = room.moved(variable, |x| x + offset * taken(x)) {
                        for lane in 0..LANES {
                            sums[lane] = sums[lane] + weight * (moved[lane] - base[lane]);
                        }
                    }
                }
                if let Some(x) = room.variable(variable) {
                    for lane in 0..LANES {
                        sums[lane] = sums[lane] / taken(x[lane]);
                    }
                }
                for (sum, quotients) in sums.iter().zip(quotients.chunks_exact_mut(variables)) {
                    quotients[variable] = *sum;
                }
            }
        }
    });
    (values, quotients)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formula::Formula;

    const EVERYTHING: &str = "x*y + x/(1 + y^2) - abs(x - y) + sqrt(x*x + 1) + exp(-x)*ln(2 + y*y) + sin(x)*cos(y) \
                              + tan(x/4) + tanh(y) + min(x, y)*max(x, 2) + abs(y)^2.5 - (-x)";

    fn points(count: usize) -> Vec<f64> {
        (0..2 * count).map(|index| (index as f64 * 0.618).sin() * 3.0).collect()
    }

    /// Blocks against numbers one by one, for counts around a block's and a thread's share; and with the angles that the
    /// short reduction cannot take.
    #[test]
    fn blocks_are_what_single_numbers_are() {
        let f = Formula::parse(EVERYTHING).unwrap();
        for count in [1, 7, LANES - 1, LANES, LANES + 1, PART + 3, 3 * PART] {
            let mut points = points(count);
            points[0] = 3e7;
            for threads in [1, 2, 3] {
                let got = values(f.program(), &points, threads);
                assert_eq!(got.len(), count);
                for (point, got) in points.chunks(2).zip(got) {
                    let expected = f.value(point);
                    assert!((got - expected).abs() <= 1e-14 * expected.abs().max(1.0), "{point:?}: {got}, {expected}");
                }
            }
        }
    }

    #[test]
    fn float32_rounds_every_operation() {
        let f = Formula::parse("(1 + x) - 1").unwrap();
        assert_eq!(values(f.program(), &[1e-8_f32], 1), [0.0]);
        assert!(values(f.program(), &[1e-8_f64], 1)[0] > 0.0);
    }

    /// Quotients are those of the definition: even at a step where they are far from the derivative.
    #[test]
    fn quotients_are_the_literal_ones() {
        let f = Formula::parse(EVERYTHING).unwrap();
        let points = points(1_000);
        let central = [(1.0, 0.5), (-1.0, -0.5)];
        let h = 0.5;
        let got = quotients(f.program(), &points, &central, h, 2);
        let mut farthest: f64 = 0.0;
        for ((point, value), got) in points.chunks(2).zip(&got.0).zip(got.1.chunks(2)) {
            assert!((value - f.value(point)).abs() < 1e-12);
            for variable in 0..2 {
                let moved = |s: f64| {
                    let mut point = point.to_vec();
                    point[variable] += s;
                    f.value(&point)
                };
                let expected = (moved(h) - moved(-h)) / (2.0 * h);
                assert!((got[variable] - expected).abs() < 1e-12, "{point:?}: {got:?}, {expected}");
                farthest = farthest.max((expected - f.derivative(point, variable)).abs());
            }
        }
        assert!(farthest > 0.1, "the control: the derivatives are others");
        assert_eq!(got, quotients(f.program(), &points, &central, h, 1), "threads show in no bit");
    }

    #[test]
    fn a_step_that_is_none_has_no_quotient() {
        let f = Formula::parse("x^2").unwrap();
        let central = [(1.0, 0.5), (-1.0, -0.5)];
        assert!(quotients(f.program(), &[1e9_f32], &central, 1e-4, 1).1[0].is_nan());
        // 100 + 1e-4 is not a float32: by the step that was taken the quotient is right all the same.
        let got = quotients(f.program(), &[100.0_f32], &central, 0.01, 1).1[0];
        assert!((got - 200.0).abs() < 0.2, "{got}");
    }
}
