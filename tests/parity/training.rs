//! Cases of optimisers and counters.

use gpu_train::backend::{Advance, Rule, Update};

use crate::suite::Cases;
use crate::support::draw::Draw;

const RULES: [Rule; 4] = [
    Rule::Sgd,
    Rule::Momentum { momentum: 0.9 },
    Rule::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    Rule::Adam { beta1: 0.5, beta2: 0.75, epsilon: 1e-3 },
];

pub(crate) fn add(cases: &mut Cases) {
    for rule in RULES {
        for (count, step) in [(1, 0), (31, 1), (33, 7), (257, 1_000), (39_808, 100_000), (70_001, 2)] {
            cases.add("update", format!("{rule:?} of {count} after {step} steps"), move |memory| {
                let mut draw = Draw::new(41);
                let parameters = draw.reals(count, 1.0);
                let mut gradient = draw.reals(count, 0.1);
                if count > 1 {
                    // An input that is always 0 has a gradient that is.
                    gradient[count / 2] = 0.0;
                }
                let mut state = draw.reals(rule.state_blocks() * count, 0.05);
                if matches!(rule, Rule::Adam { .. }) {
                    // Second moments are those of numbers as large as the first ones, and begin at 0 with them.
                    for index in 0..count {
                        let first = if step == 0 || gradient[index] == 0.0 { 0.0 } else { state[index] };
                        state[index] = first;
                        state[count + index] = 1.5 * first * first;
                    }
                }
                let blocks = rule.state_blocks();
                Ok(Update {
                    rule,
                    learning_rate: 0.01,
                    parameters: memory.tensor(&parameters, 1, count)?,
                    gradient: memory.tensor(&gradient, 1, count)?,
                    state: if blocks == 0 { None } else { Some(memory.tensor(&state, blocks, count)?) },
                    step: memory.words(&[step])?,
                }
                .into())
            });
        }
    }
    for (cursor, step) in [(0, 0), (499, 1_000_000)] {
        cases.add("advance", format!("from {cursor} and {step}"), move |memory| {
            Ok(Advance { cursor: memory.words(&[cursor])?, step: memory.words(&[step])? }.into())
        });
    }
}
