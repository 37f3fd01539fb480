//! Cases of formulas: every function and operation, every quotient, at steps that are anything but small.

use std::sync::Arc;

use gpu_train::backend::{Formula as FormulaOp, QuotientPair};
use gpu_train::formula::Formula;

use crate::suite::Cases;
use crate::support::draw::Draw;

const CENTRAL: QuotientPair = QuotientPair { multiple: 1.0, plus: 0.5, minus: -0.5 };
const FORWARD: QuotientPair = QuotientPair { multiple: 1.0, plus: 1.0, minus: 0.0 };

/// Richardson's, whose pairs have different multiples and signs.
const RICHARDSON: [QuotientPair; 2] = [
    QuotientPair { multiple: 0.5, plus: 4.0 / 3.0, minus: -4.0 / 3.0 },
    QuotientPair { multiple: 1.0, plus: -1.0 / 6.0, minus: 1.0 / 6.0 },
];

/// Formulas and the ends between which their points lie; a step of 0.5 stays in their domain.
const FORMULAS: [(&str, [f64; 2]); 14] = [
    ("x*y - 2*x + y/(4 + x)", [-3.0, 3.0]),
    ("x^4 - 16*x^2 + 5*x", [-3.0, 3.0]),
    ("exp(x)*sin(y)", [-3.0, 3.0]),
    ("cos(3*x + y) + tan(x/5)", [-3.0, 3.0]),
    ("ln(x)*sqrt(y)", [0.7, 9.0]),
    ("tanh(x - y) + abs(x + y)", [-3.0, 3.0]),
    ("min(x, y) + max(2*x, y)", [-3.0, 3.0]),
    ("x^y + x^-1.5", [0.7, 3.0]),
    ("2^x + (-2)^3*y", [-3.0, 3.0]),
    ("x^67", [-1.0, 1.0]),
    ("1/(1 + exp(-x))", [-9.0, 9.0]),
    ("sin(100*x)", [-9.0, 9.0]),
    ("exp(3*x)/exp(3*y)", [-1.0, 1.0]),
    ("x + y + z*w*v + 3", [-3.0, 3.0]),
];

pub(crate) fn add(cases: &mut Cases) {
    for (index, (text, ends)) in FORMULAS.into_iter().enumerate() {
        let stencils: [(&str, f32, Vec<QuotientPair>); 4] = [
            ("central", 1e-3, vec![CENTRAL]),
            ("central", 0.5, vec![CENTRAL]),
            ("forward", 0.1, vec![FORWARD]),
            ("richardson", 0.25, RICHARDSON.to_vec()),
        ];
        for (name, step_size, pairs) in stencils {
            let rows = [1, 7, 101, 257][(index + pairs.len()) % 4];
            let name = format!("{text}, {rows} points, {name}, step {step_size}");
            cases.add("formula", name, move |memory| {
                let program = Arc::clone(Formula::parse(text)?.program());
                let variables = program.variables();
                let mut draw = Draw::new(50 + index as u64);
                let middle = (ends[0] + ends[1]) / 2.0;
                let x: Vec<f32> = (0..rows * variables)
                    .map(|_| (middle + f64::from(draw.real(1.0)).clamp(-1.0, 1.0) * (ends[1] - middle)) as f32)
                    .collect();
                Ok(FormulaOp {
                    program,
                    x: memory.tensor(&x, rows, variables)?,
                    step_size,
                    pairs: pairs.clone(),
                    out: memory.result(rows, 1 + variables)?,
                }
                .into())
            });
        }
    }
    cases.add("formula", "values alone", |memory| {
        let program = Arc::clone(Formula::parse("x*exp(y)")?.program());
        Ok(FormulaOp {
            program,
            x: memory.tensor(&[1.0, 0.0, 2.0, 1.0, -3.0, -2.0], 3, 2)?,
            step_size: 0.1,
            pairs: vec![CENTRAL],
            out: memory.result(3, 1)?,
        }
        .into())
    });
}
