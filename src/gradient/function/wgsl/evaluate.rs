//! A user's function on an adapter, as the quotients see it.

use std::cell::RefCell;

use super::device::Device;
use super::shader::{Form, Shader};
use crate::Result;
use crate::backend::gpu::user::UserShader;
use crate::device::DeviceInfo;
use crate::gradient::function::Real;
use crate::gradient::function::evaluate::{Evaluate, Move};
use crate::gradient::function::noise::{Noise, Rounding, rounding_noise};

/// Terms whose noise stands for all.
const SAMPLED_TERMS: usize = 64;

/// Changes that are added up one after the other, at most: 64 of them, and the sums of 16,384.
const ADDED_UP: f64 = 320.0;

/// The standard deviation of a rounding to nearest, in units of the last place.
const ROUNDING: f64 = 0.289 * f32::EPSILON as f64;

/// A user's function. Of a sum of terms the values are its changes from the point: terms that a variable is not in
/// change by exactly 0, so that a change has the rounding of those alone that it is in.
pub(super) struct OnAdapter {
    device: RefCell<Device>,
    form: Form,
}

impl OnAdapter {
    pub(super) fn new(shader: UserShader, source: &Shader, variables: usize) -> Result<Self> {
        Ok(Self { device: RefCell::new(Device::new(shader, source, variables)?), form: source.form })
    }

    pub(super) fn info(&self) -> DeviceInfo {
        self.device.borrow().info().clone()
    }

    /// The function itself at a point.
    pub(super) fn true_value(&self, point: &[f32]) -> Result<f64> {
        let mut device = self.device.borrow_mut();
        device.set_point(point)?;
        match self.form {
            Form::Terms(terms) => Ok(device.terms(terms as usize, 1)?.iter().sum()),
            _ => device.value(),
        }
    }

    /// Some of the terms at a point.
    fn sampled_terms(&self, point: &[f32], terms: usize) -> Result<Vec<f64>> {
        let mut device = self.device.borrow_mut();
        device.set_point(point)?;
        let count = terms.min(SAMPLED_TERMS);
        device.terms(count, terms / count)
    }

    /// The rounding in a sum's changes, by variable: that of the terms that change, as a share of their size that was
    /// measured on some of them, and that of adding the changes up.
    fn rounding_of_sum(&self, x: &[f32], variables: &[usize], steps: &[f64], terms: usize) -> Result<(Rounding, u64)> {
        let sampled = SampledTerms { function: self, terms };
        let values = sampled.value(x)?;
        let (noise, evaluations) = rounding_noise(&sampled, x, steps, &values)?;
        let square = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
        let deviations = square(&mut noise.iter().map(|noise| noise.deviation));
        let share = (deviations / square(&mut values.iter().copied()).max(f64::MIN_POSITIVE)).sqrt().max(ROUNDING);
        let to = |&variable: &usize| (variable, f32::from_f64(f64::from(x[variable]) + steps[variable]));
        let moves: Vec<Move<f32>> = variables.iter().map(to).collect();
        let mut device = self.device.borrow_mut();
        device.set_point(x)?;
        let noise = device.sizes(&moves, terms)?.into_iter().zip(&moves).map(|(sizes, &(variable, to))| {
            let moved = (f64::from(to) - f64::from(x[variable])).abs();
            let slope = ROUNDING * sizes.changes * sizes.count.min(ADDED_UP).sqrt() / moved.max(f64::MIN_POSITIVE);
            // Independent roundings of so many terms.
            Noise { slope, ..Noise::measured(share * sizes.squares.sqrt()) }
        });
        Ok((Rounding::OfVariables(noise.collect()), evaluations + moves.len() as u64))
    }
}

impl Evaluate<f32> for OnAdapter {
    fn values(&self, base: &[f32], moves: &[Move<f32>]) -> Result<Vec<Vec<f64>>> {
        let mut device = self.device.borrow_mut();
        device.set_point(base)?;
        let values = match self.form {
            Form::Terms(terms) => device.changes(moves, terms as usize)?,
            _ => device.values(moves)?,
        };
        Ok(values.into_iter().map(|value| vec![value]).collect())
    }

    fn origin(&self, x: &[f32]) -> Result<Vec<f64>> {
        let value = self.true_value(x)?;
        Ok(vec![if value.is_finite() && matches!(self.form, Form::Terms(_)) { 0.0 } else { value }])
    }

    fn value(&self, point: &[f32]) -> Result<Vec<f64>> {
        Ok(vec![self.true_value(point)?])
    }

    fn rounding(&self, x: &[f32], variables: &[usize], steps: &[f64], origin: &[f64]) -> Result<(Rounding, u64)> {
        if let Form::Terms(terms) = self.form {
            return self.rounding_of_sum(x, variables, steps, terms as usize);
        }
        let (noise, evaluations) = rounding_noise(self, x, steps, origin)?;
        Ok((Rounding::OfRows(noise), evaluations))
    }
}

/// Some of a sum's terms, each a function of its own.
struct SampledTerms<'a> {
    function: &'a OnAdapter,
    terms: usize,
}

impl Evaluate<f32> for SampledTerms<'_> {
    fn values(&self, base: &[f32], moves: &[Move<f32>]) -> Result<Vec<Vec<f64>>> {
        let mut point = base.to_vec();
        let at = |&(variable, to): &Move<f32>| {
            point[variable] = to;
            let values = self.function.sampled_terms(&point, self.terms);
            point[variable] = base[variable];
            values
        };
        moves.iter().map(at).collect()
    }
}
