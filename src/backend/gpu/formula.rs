//! A formula and its quotients: the program becomes WGSL, a line for each node's value and one for its change. See
//! `shaders/formula.wgsl` and `shaders/lib/formula_functions.wgsl`.

use std::fmt::Write;

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, folded, shader};
use crate::backend::op::Formula;
use crate::formula::{Binary, Node, Program, Unary};

/// Nodes and moves of a dispatch, over all its points: a tenth of a second on a slow device.
const MOST_WORK: usize = 1 << 28;

pub(super) fn dispatches(op: &Formula, _class: DeviceClass) -> Vec<Dispatch> {
    // Everything but the program's own function is the same for all formulas.
    let source =
        [shader!("formula", "grid", "numerics", "formula_functions").as_ref(), &function(&op.program)].concat();
    let quotients = op.out.columns - 1;
    let work = op.program.nodes().len() * (1 + quotients * op.pairs.len());
    let rows_each = (MOST_WORK / work).max(WORKGROUP as usize);
    let mut pairs = [0.0_f32; 8];
    for (words, pair) in pairs.chunks_exact_mut(4).zip(&op.pairs) {
        words[..3].copy_from_slice(&[pair.multiple, pair.plus, pair.minus]);
    }
    (0..op.out.rows)
        .step_by(rows_each)
        .map(|first| {
            let last = (first + rows_each).min(op.out.rows);
            let sizes = [first, last, op.x.columns, quotients, op.pairs.len()].map(|size| size as u32);
            let head = sizes.into_iter().chain([0, op.step_size.to_bits(), 0]);
            Dispatch {
                name: "formula",
                source: source.clone().into(),
                constants: vec![("WORKGROUP", WORKGROUP.into())],
                bindings: vec![Binding::Read(op.x.span()), Binding::Write(op.out.span())],
                parameters: head.chain(pairs.iter().map(|word| word.to_bits())).collect(),
                workgroups: folded((last - first).div_ceil(WORKGROUP as usize)),
            }
        })
        .collect()
}

/// `fn function(first, moved, s)`: the value at the point whose variables begin at `x[first]`, and what moves of variable
/// `moved` by `s.x` and by `s.y` change of it.
fn function(program: &Program) -> String {
    let mut text = String::from("\nfn function(first: u32, moved: u32, s: vec2<f32>) -> Moved {\n");
    for (index, node) in program.nodes().iter().enumerate() {
        let (value, change) = match *node {
            Node::Constant(value) => (literal(value as f32), "vec2<f32>()".into()),
            Node::Variable(variable) => {
                (format!("x[first + {variable}u]"), format!("select(vec2<f32>(), s, moved == {variable}u)"))
            }
            Node::Unary(operation, a) => unary(operation, index, a),
            Node::Binary(operation, a, b) => binary(operation, index, a, b),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "    let v{index} = {value};\n    let d{index} = {change};");
    }
    let last = program.nodes().len() - 1;
    let _ = writeln!(text, "    return Moved(v{last}, d{last});\n}}");
    text
}

/// The expressions of a value and of its change.
fn unary(operation: Unary, index: usize, a: usize) -> (String, String) {
    let known = format!("v{a}, d{a}, v{index}");
    match operation {
        Unary::Negate => (format!("-v{a}"), format!("-d{a}")),
        Unary::Absolute => (format!("abs(v{a})"), format!("absolute_change(v{a}, d{a})")),
        Unary::SquareRoot => (format!("root(v{a})"), format!("root_change({known})")),
        Unary::Exponential => (format!("exponential(v{a})"), format!("v{index} * expm1_pair(d{a})")),
        Unary::Logarithm => (format!("logarithm(v{a})"), format!("logarithm_change(v{a}, d{a})")),
        Unary::Sine => (format!("sine(v{a})"), format!("sine_change({known})")),
        Unary::Cosine => (format!("cosine(v{a})"), format!("cosine_change({known})")),
        Unary::Tangent => (format!("tangent(v{a})"), format!("tangent_change({known})")),
        Unary::HyperbolicTangent => (format!("tanh_sech2(v{a}).x"), format!("tanh_change(v{a}, d{a})")),
    }
}

fn binary(operation: Binary, index: usize, a: usize, b: usize) -> (String, String) {
    let known = format!("v{a}, d{a}, v{b}, d{b}");
    match operation {
        Binary::Add => (format!("v{a} + v{b}"), format!("d{a} + d{b}")),
        Binary::Subtract => (format!("v{a} - v{b}"), format!("d{a} - d{b}")),
        Binary::Multiply => (format!("v{a} * v{b}"), format!("d{a} * v{b} + (v{a} + d{a}) * d{b}")),
        Binary::Divide => (format!("v{a} / v{b}"), format!("(d{a} - v{index} * d{b}) / (v{b} + d{b})")),
        Binary::Power => (format!("power(v{a}, v{b})"), format!("power_change({known}, v{index})")),
        Binary::Minimum => (format!("smaller(v{a}, v{b})"), format!("-larger_change(-v{a}, -d{a}, -v{b}, -d{b})")),
        Binary::Maximum => (format!("-smaller(-v{a}, -v{b})"), format!("larger_change({known})")),
    }
}

/// A float32 as WGSL takes it; what it does not take comes from functions that no compiler sees through.
fn literal(value: f32) -> String {
    match value {
        _ if value.is_nan() => "not_a_number()".into(),
        f32::INFINITY => "infinity()".into(),
        f32::NEG_INFINITY => "-infinity()".into(),
        _ => format!("{value:?}f"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formula::Formula as Parsed;

    #[test]
    fn a_program_becomes_a_line_a_node() {
        let f = Parsed::parse("3*x").unwrap();
        let lines = [
            "let v0 = 3.0f;",
            "let d0 = vec2<f32>();",
            "let v1 = x[first + 0u];",
            "let d1 = select(vec2<f32>(), s, moved == 0u);",
            "let v2 = v0 * v1;",
            "let d2 = d0 * v1 + (v0 + d0) * d1;",
            "return Moved(v2, d2);",
        ];
        let text = function(f.program());
        assert_eq!(text.lines().filter(|line| line.starts_with("    ")).map(str::trim).collect::<Vec<_>>(), lines);
    }

    #[test]
    fn numbers_are_written_so_that_they_are_read_as_the_same() {
        let written = [1.0, -0.5, 1e-7, 3.4e38, 1e30].map(literal);
        assert_eq!(written, ["1.0f", "-0.5f", "1e-7f", "3.4e38f", "1e30f"]);
        assert_eq!(literal(f32::NEG_INFINITY), "-infinity()");
    }
}
