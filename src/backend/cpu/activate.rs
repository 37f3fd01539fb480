//! Activations of hidden units. See `shaders/activate.wgsl`.

use super::math;
use super::memory::View;
use super::normal;
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::op::Activate;
use crate::network::Activation;

pub(super) fn run(op: &Activate, view: &View<'_>, worker: &mut Worker<'_>) {
    let share = worker.share(op.x.len(), 64);
    // SAFETY: this worker's share, taken once.
    let out = unsafe { view.floats_mut(op.out, share.clone()) };
    activate(op.activation, &view.floats(op.x)[share], out);
}

vectorized! {
    /// `out = phi(x)`
    pub(super) fn activate(activation: Activation, x: &[f32], out: &mut [f32]) = body
}

#[inline(always)]
fn body<F: Float>(activation: Activation, x: &[f32], out: &mut [f32]) {
    match activation {
        Activation::Sigmoid => each(x, out, |a| math::sigmoid::<F>(a).0),
        Activation::Tanh => each(x, out, |a| math::tanh::<F>(a).0),
        Activation::Relu => each(x, out, |a| a.max(0.0)),
        Activation::Gelu => each(x, out, normal::gelu::<F>),
        Activation::Softplus => each(x, out, math::softplus::<F>),
        Activation::Identity => out.copy_from_slice(x),
    }
}

#[inline(always)]
fn each(x: &[f32], out: &mut [f32], f: impl Fn(f32) -> f32) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out = f(x);
    }
}
