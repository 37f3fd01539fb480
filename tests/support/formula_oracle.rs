//! What a formula and its quotients must be: every node literally in float64, at the point and at each moved one.

use gpu_train::backend::Formula;
use gpu_train::formula::{Binary, Node, Program, Unary};

use super::oracle::Expected;
use super::tolerance::Tolerance;

/// The value of every node.
fn nodes(program: &Program, x: &[f64]) -> Vec<f64> {
    let mut values: Vec<f64> = Vec::new();
    for node in program.nodes() {
        values.push(match *node {
            Node::Constant(value) => f64::from(value as f32),
            Node::Variable(index) => x[index],
            Node::Unary(operation, a) => {
                let a = values[a];
                match operation {
                    Unary::Negate => -a,
                    Unary::Absolute => a.abs(),
                    Unary::SquareRoot => a.sqrt(),
                    Unary::Exponential => a.exp(),
                    Unary::Logarithm => a.ln(),
                    Unary::Sine => a.sin(),
                    Unary::Cosine => a.cos(),
                    Unary::Tangent => a.tan(),
                    Unary::HyperbolicTangent => a.tanh(),
                }
            }
            Node::Binary(operation, a, b) => {
                let (a, b) = (values[a], values[b]);
                match operation {
                    Binary::Add => a + b,
                    Binary::Subtract => a - b,
                    Binary::Multiply => a * b,
                    Binary::Divide => a / b,
                    Binary::Power => a.powf(b),
                    Binary::Minimum => a.min(b),
                    Binary::Maximum => a.max(b),
                }
            }
        });
    }
    values
}

/// The results, and with each the largest number on the way there.
fn results(op: &Formula, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let largest = |values: &[f64]| values.iter().fold(1.0, |most: f64, value| most.max(value.abs()));
    let base = nodes(&op.program, x);
    let (mut values, mut magnitudes) = (vec![base[base.len() - 1]], vec![largest(&base)]);
    let h = f64::from(op.step_size);
    for variable in 0..op.out.columns - 1 {
        let mut quotients = vec![0.0; base.len()];
        for pair in &op.pairs {
            for (sign, weight) in [(1.0, pair.plus), (-1.0, pair.minus)] {
                let mut moved = x.to_vec();
                moved[variable] += sign * f64::from(pair.multiple) * h;
                for ((quotient, moved), base) in quotients.iter_mut().zip(nodes(&op.program, &moved)).zip(&base) {
                    if weight != 0.0 {
                        *quotient += f64::from(weight) * (moved - base) / h;
                    }
                }
            }
        }
        values.push(quotients[quotients.len() - 1]);
        magnitudes.push(largest(&quotients).max(largest(&base)));
    }
    (values, magnitudes)
}

pub(crate) fn expect(op: &Formula, x: &[f64]) -> Expected {
    let rows = x.chunks(op.x.columns).map(|point| results(op, point));
    let (values, magnitudes): (Vec<Vec<f64>>, Vec<Vec<f64>>) = rows.unzip();
    let reason = "a dozen functions and operations of the largest number on the way";
    let tolerance = Tolerance::Scaled { ulps: 48.0, magnitudes: magnitudes.concat(), reason };
    Expected::floats("out", op.out, values.concat(), tolerance)
}
