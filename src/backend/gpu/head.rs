//! The end of a forward pass in one dispatch. See `shaders/softmax_cross_entropy.wgsl`.

use super::kernel::{Binding, Dispatch, WORKGROUP, folded, output_code, shader};
use crate::backend::fusion::Head;

/// Whether an invocation can do a row.
pub(super) fn is_possible(head: &Head) -> bool {
    const MOST_CLASSES: usize = 1_024;
    head.softmax.x.columns <= MOST_CLASSES
}

pub(super) fn dispatch(head: &Head) -> Dispatch {
    let (x, y) = (head.softmax.x, head.softmax.out);
    let mut constants = vec![("WORKGROUP", WORKGROUP.into())];
    let mut bindings = vec![
        Binding::Read(x.span()),
        Binding::Read(head.targets.span()),
        Binding::Write(y.span()),
        Binding::Write(head.loss.out.span()),
    ];
    let scale = 1.0 / x.rows as f32;
    let parameters = vec![x.rows as u32, x.columns as u32, 0, head.loss.epsilon.to_bits(), scale.to_bits()];
    let source = match head.gradient {
        None => shader!("softmax_cross_entropy", "grid", "numerics", "head"),
        Some(gradient) => {
            constants.push(("OUTPUT", output_code(gradient.output).0));
            bindings.push(Binding::Write(gradient.out.span()));
            shader!("softmax_cross_entropy", "grid", "numerics", "loss_slope", "head_and_gradient")
        }
    };
    let workgroups = folded(x.rows.div_ceil(WORKGROUP as usize));
    Dispatch { name: "softmax_cross_entropy", source, constants, bindings, parameters, workgroups }
}
