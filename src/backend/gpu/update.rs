//! Steps of gradient descent. See `shaders/update.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, folded, shader};
use crate::backend::op::{Rule, Update};

pub(super) fn dispatches(op: &Update, _class: DeviceClass) -> Vec<Dispatch> {
    let by_fours = op.parameters.len().is_multiple_of(4);
    let len = if by_fours { op.parameters.len() / 4 } else { op.parameters.len() };
    let (rule, [beta1, beta2, epsilon]) = match op.rule {
        Rule::Sgd => (0.0, [0.0; 3]),
        Rule::Momentum { momentum } => (1.0, [momentum, 0.0, 0.0]),
        Rule::Adam { beta1, beta2, epsilon } => (2.0, [beta1, beta2, epsilon]),
    };
    let logarithm = |beta: f32| f64::from(beta).ln() as f32;
    let numbers = [op.learning_rate, beta1, beta2, logarithm(beta1), logarithm(beta2), epsilon];
    vec![Dispatch {
        name: "update",
        source: match by_fours {
            true => shader!("update", "four", "grid", "numerics"),
            false => shader!("update", "one", "grid", "numerics"),
        },
        constants: vec![("WORKGROUP", WORKGROUP.into()), ("RULE", rule)],
        bindings: vec![
            Binding::Read(op.gradient.span()),
            Binding::Read(op.step.span()),
            Binding::Write(op.parameters.span()),
            // Plain descent has no state, but something must be bound.
            Binding::Write(op.state.unwrap_or(op.parameters).span()),
        ],
        parameters: [len as u32, 0].into_iter().chain(numbers.map(f32::to_bits)).collect(),
        workgroups: folded(len.div_ceil(WORKGROUP as usize)),
    }]
}
