//! Gradients of functions that users write in WGSL, on an adapter.

mod device;
mod evaluate;
mod loops;
mod shader;
mod storage;

use std::ops::Range;
use std::path::Path;

use self::evaluate::OnAdapter;
use self::shader::Form;
use super::evaluate::base_values;
use super::jacobian::{bare_quotients, columns};
use super::{FunctionOptions, StepSize};
use crate::backend::gpu::user::UserShader;
use crate::backend::open_for_shaders;
use crate::device::{DeviceInfo, DeviceKind, Selector};
use crate::gradient::ErrorEstimate;
use crate::{Error, Result};

/// A tensor up to this size is estimated value by value, a larger one by so many of its values.
const EACH: usize = 4_096;
const SAMPLED: usize = 512;

/// A function in WGSL at a point, ready on an adapter.
///
/// The text defines one of
///
/// - `fn f(x: ptr<function, array<f32, N>>) -> f32`, for up to 2,048 variables;
/// - `fn f() -> f32`, which reads variable `i` of a storage buffer, as `x[i]` where the text says
///   `@group(0) @binding(0) var<storage, read> x: array<f32>`, or without that by `parameter(i)`;
/// - `fn term(i: u32) -> f32` and `const TERMS = ...`: the function is the sum of so many terms, which read in the same
///   way. Terms that a variable is not in change by exactly 0 with it, so the sum's change is as exact as its
///   own terms are: the form for sums over data, and for many variables.
///
/// `N`, the number of variables, and `parameter` are given. Values are float32, quotients and estimates float64.
/// Indices stay checked. A loop without an end hangs the device; some software drivers stop every loop silently after
/// 65,535 trips, which [`WgslFunction::warnings`] tells of. The sum's own loop is cut below that.
pub struct WgslFunction {
    function: OnAdapter,
    point: Vec<f32>,
    device: DeviceInfo,
    reason: String,
    warnings: Vec<String>,
}

/// A gradient, and how wrong its tensors may be.
#[derive(Debug, Clone, PartialEq)]
pub struct WgslGradient {
    /// The function at the point.
    pub value: f64,
    /// The derivative for each variable, `[n]`.
    pub gradient: Vec<f32>,
    /// The step of each variable that was really taken, `[n]`.
    pub step_sizes: Vec<f64>,
    /// A bound of each tensor's error, by the norm.
    pub estimates: Vec<ErrorEstimate>,
    /// At how many points the function was evaluated.
    pub evaluations: u64,
}

impl WgslFunction {
    /// Reads the function `text`, from the file `path`, and compiles it for the device that `selector` means.
    ///
    /// # Errors
    /// [`Error::Shader`] with line and caret; [`Error::Config`] for a point that is empty or not finite;
    /// [`Error::NoDevice`] or what keeps the device from working.
    pub fn open(path: &Path, text: &str, point: &[f32], selector: &Selector) -> Result<Self> {
        if point.is_empty() {
            return Err(Error::config("the point has no variables"));
        }
        if let Some(variable) = point.iter().position(|value| !value.is_finite()) {
            return Err(Error::config(format!("variable {variable} of the point is {}", point[variable])));
        }
        let mut shader = shader::read(path, text, point.len(), shader::MOVES_AT_ONCE)?;
        let (mut backend, reason) = open_for_shaders(selector)?;
        // Only there loads cost so much; and other compilers, SwiftShader's for one, take minutes for what is shared.
        if !crate::backend::Backend::info(&backend).name.starts_with("llvmpipe") {
            shader = shader::read(path, text, point.len(), 1)?;
        }
        let mut warnings = Vec::new();
        if shader.loops && crate::backend::Backend::info(&backend).kind == DeviceKind::Software {
            let stops;
            (backend, stops) = loops::stop_early(backend)?;
            warnings
                .extend(stops.map(|trips| warning(&crate::backend::Backend::info(&backend).name, trips, shader.form)));
        }
        let modules: Vec<_> = shader.modules.iter().map(|(source, entries)| (source.as_str(), *entries)).collect();
        let kernel = UserShader::new(backend, &modules)?;
        let function = OnAdapter::new(kernel, &shader, point.len())?;
        let device = function.info();
        Ok(Self { function, point: point.to_vec(), device, reason, warnings })
    }

    /// The adapter.
    #[must_use]
    pub fn device(&self) -> &DeviceInfo {
        &self.device
    }

    /// Why this one, in one line.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What the user should know, a line each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The gradient, and the errors of each of `tensors`, which are ranges of variables that follow one another and
    /// leave none out.
    ///
    /// Up to 4,096 values, each has its own automatic step and its own estimate. Of a larger tensor 512 values at even
    /// distances are looked at so: the median of their steps is the tensor's, and their errors stand for all, so that a
    /// few values unlike the others can escape the estimate.
    ///
    /// # Errors
    /// As [`numerical_gradient`](super::numerical_gradient), or when the device fails.
    pub fn gradient(&mut self, tensors: &[Range<usize>], options: &FunctionOptions) -> Result<WgslGradient> {
        let x = self.point.as_slice();
        let mut ends = tensors.iter().map(|tensor| tensor.end);
        let starts = std::iter::once(0).chain(ends.clone());
        if !starts.clone().take(tensors.len()).eq(tensors.iter().map(|tensor| tensor.start))
            || !tensors.iter().all(|tensor| tensor.start <= tensor.end)
            || ends.next_back() != Some(x.len())
        {
            return Err(Error::config("the tensors do not follow one another up to the end of the point"));
        }
        // Whatever is wrong with the point itself is told first.
        base_values(&self.function, x)?;
        let value = self.function.true_value(x)?;
        let (gradient, step_sizes, estimates) = (Vec::with_capacity(x.len()), Vec::with_capacity(x.len()), Vec::new());
        let mut all = WgslGradient { value, gradient, step_sizes, estimates, evaluations: 1 };
        for tensor in tensors {
            self.add(&mut all, tensor.clone(), options)?;
        }
        Ok(all)
    }

    /// Adds a tensor's gradient to what is there.
    fn add(&self, all: &mut WgslGradient, tensor: Range<usize>, options: &FunctionOptions) -> Result<()> {
        let (x, count) = (self.point.as_slice(), tensor.len());
        if count == 0 {
            all.estimates.push(ErrorEstimate { truncation: 0.0, rounding: 0.0 });
            return Ok(());
        }
        let sampled = count > EACH;
        let looked_at: Vec<usize> = if sampled {
            (0..SAMPLED).map(|k| tensor.start + k * count / SAMPLED).collect()
        } else {
            tensor.clone().collect()
        };
        let found = columns(&self.function, x, &looked_at, options)?;
        let share = count as f64 / looked_at.len() as f64;
        let norm = |of: fn(&ErrorEstimate) -> f64| {
            (share * found.estimates.iter().map(|estimate| of(estimate).powi(2)).sum::<f64>()).sqrt()
        };
        let (truncation, rounding) = (norm(|estimate| estimate.truncation), norm(|estimate| estimate.rounding));
        all.estimates.push(ErrorEstimate { truncation, rounding });
        all.evaluations += found.evaluations;
        if !sampled {
            all.gradient.extend(found.jacobian);
            all.step_sizes.extend(found.step_sizes);
            return Ok(());
        }
        let step = match options.step_size {
            StepSize::Auto => median(found.step_sizes),
            StepSize::Fixed(step) => step,
        };
        let every: Vec<usize> = tensor.collect();
        let (gradient, step_sizes, evaluations) = bare_quotients(&self.function, x, &every, step, options)?;
        all.gradient.extend(gradient);
        all.step_sizes.extend(step_sizes);
        all.evaluations += evaluations;
        Ok(())
    }
}

/// What a driver's silence about long loops means for a function.
fn warning(device: &str, trips: u32, form: Form) -> String {
    let remedy = match form {
        Form::Terms(_) => "a term of more than 250 trips is computed wrongly there",
        _ => {
            "a function that loops longer is computed wrongly there; fn term(i: u32) -> f32 with const TERMS cuts a long \
             sum up"
        }
    };
    format!("{device} stops loops silently after {trips} trips of an invocation, so {remedy}")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
