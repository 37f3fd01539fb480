//! Back-propagation through an activation. See `shaders/activation_gradient.wgsl`.

use super::math;
use super::memory::View;
use super::normal;
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::op::ActivationGradient;
use crate::network::Activation;

pub(super) fn run(op: &ActivationGradient, view: &View<'_>, worker: &mut Worker<'_>) {
    let share = worker.share(op.x.len(), 64);
    // SAFETY: this worker's share, taken once.
    let gradient = unsafe { view.floats_mut(op.gradient, share.clone()) };
    chain(op.activation, &view.floats(op.x)[share], gradient);
}

vectorized! {
    /// `gradient *= phi'(x)`
    fn chain(activation: Activation, x: &[f32], gradient: &mut [f32]) = body
}

#[inline(always)]
fn body<F: Float>(activation: Activation, x: &[f32], gradient: &mut [f32]) {
    // The activation is chosen outside of the loops: with the choice inside, none of them becomes vectors.
    match activation {
        Activation::Sigmoid => each(x, gradient, |a| slope::<F>(Activation::Sigmoid, a)),
        Activation::Tanh => each(x, gradient, |a| slope::<F>(Activation::Tanh, a)),
        Activation::Relu => each(x, gradient, |a| slope::<F>(Activation::Relu, a)),
        Activation::Gelu => each(x, gradient, |a| slope::<F>(Activation::Gelu, a)),
        Activation::Softplus => each(x, gradient, |a| slope::<F>(Activation::Softplus, a)),
        Activation::Identity => {}
    }
}

#[inline(always)]
fn each(x: &[f32], gradient: &mut [f32], slope: impl Fn(f32) -> f32) {
    for (gradient, &x) in gradient.iter_mut().zip(x) {
        *gradient *= slope(x);
    }
}

/// `phi'(a)`; 0 for ReLU at 0.
#[inline(always)]
pub(super) fn slope<F: Float>(activation: Activation, a: f32) -> f32 {
    match activation {
        Activation::Sigmoid => {
            let (value, complement) = math::sigmoid::<F>(a);
            value * complement
        }
        Activation::Tanh => math::tanh::<F>(a).1,
        Activation::Relu => {
            if a > 0.0 {
                1.0
            } else {
                0.0
            }
        }
        Activation::Gelu => {
            let (cdf, density) = normal::normal::<F>(a);
            F::mul_add(a, density, cdf)
        }
        Activation::Softplus => math::sigmoid::<F>(a).0,
        Activation::Identity => 1.0,
    }
}
