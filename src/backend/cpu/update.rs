//! Steps of gradient descent. See `shaders/update.wgsl`.

use super::memory::View;
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::op::{Rule, Update};

pub(super) fn run(op: &Update, view: &View<'_>, worker: &mut Worker<'_>) {
    let len = op.parameters.len();
    let share = worker.share(len, 64);
    let gradient = &view.floats(op.gradient)[share.clone()];
    // SAFETY: this worker's share, taken once; below, its share of each block of the state.
    let parameters = unsafe { view.floats_mut(op.parameters, share.clone()) };
    match (op.rule, op.state) {
        (Rule::Momentum { momentum }, Some(state)) => {
            // SAFETY: as above.
            let velocity = unsafe { view.floats_mut(state, share) };
            with_momentum(op.learning_rate, momentum, gradient, velocity, parameters);
        }
        (Rule::Adam { beta1, beta2, epsilon }, Some(state)) => {
            // SAFETY: as above; the second block begins where the first ends.
            let first = unsafe { view.floats_mut(state, share.clone()) };
            // SAFETY: as above.
            let second = unsafe { view.floats_mut(state, len + share.start..len + share.end) };
            let step = f64::from(view.words(op.step)[0]) + 1.0;
            let correction = |beta: f32| 1.0 - f64::from(beta).powf(step);
            let rate = (f64::from(op.learning_rate) / correction(beta1)) as f32;
            let scale = (1.0 / correction(beta2)) as f32;
            adam([rate, scale, beta1, beta2, epsilon], gradient, first, second, parameters);
        }
        _ => plain(op.learning_rate, gradient, parameters),
    }
}

vectorized! {
    /// `theta -= rate g`
    fn plain(rate: f32, gradient: &[f32], parameters: &mut [f32]) = plain_body
}

#[inline(always)]
fn plain_body<F: Float>(rate: f32, gradient: &[f32], parameters: &mut [f32]) {
    for (parameter, &gradient) in parameters.iter_mut().zip(gradient) {
        *parameter = F::mul_add(-rate, gradient, *parameter);
    }
}

vectorized! {
    /// `v = momentum v + g; theta -= rate v`
    fn with_momentum(rate: f32, momentum: f32, gradient: &[f32], velocity: &mut [f32], parameters: &mut [f32])
        = momentum_body
}

#[inline(always)]
fn momentum_body<F: Float>(rate: f32, momentum: f32, gradient: &[f32], velocity: &mut [f32], parameters: &mut [f32]) {
    for ((parameter, velocity), &gradient) in parameters.iter_mut().zip(velocity).zip(gradient) {
        *velocity = F::mul_add(momentum, *velocity, gradient);
        *parameter = F::mul_add(-rate, *velocity, *parameter);
    }
}

vectorized! {
    /// Adam with `[rate / (1 - beta1^t), 1 / (1 - beta2^t), beta1, beta2, epsilon]`.
    fn adam(constants: [f32; 5], gradient: &[f32], first: &mut [f32], second: &mut [f32], parameters: &mut [f32])
        = adam_body
}

#[inline(always)]
fn adam_body<F: Float>(
    [rate, scale, beta1, beta2, epsilon]: [f32; 5],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
    parameters: &mut [f32],
) {
    for (((parameter, m), v), &g) in parameters.iter_mut().zip(first).zip(second).zip(gradient) {
        *m = F::mul_add(beta1, *m, (1.0 - beta1) * g);
        *v = F::mul_add(beta2, *v, (1.0 - beta2) * g * g);
        *parameter -= rate * *m / ((*v * scale).sqrt() + epsilon);
    }
}
