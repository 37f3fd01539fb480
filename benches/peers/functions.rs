//! Gradients of two closures by differences, as one JSON document for `functions.py`: Rosenbrock's function in 100
//! dimensions, and a sum of a million terms.

use std::time::Instant;

use gpu_train::gradient::Difference;
use gpu_train::gradient::function::{FunctionOptions, numerical_gradient};
use serde_json::{Value, json};

const TERMS: usize = 1_000_000;

fn rosenbrock(x: &[f64]) -> f64 {
    x.windows(2).map(|x| 100.0 * (x[1] - x[0] * x[0]).powi(2) + (1.0 - x[0]).powi(2)).sum()
}

/// `sum 1 / (1 + exp(-(a t + b))) + c t^2` over t from -1 to 1.
fn long_sum(x: &[f64]) -> f64 {
    let term = |index: usize| {
        let t = (2 * index + 1) as f64 / TERMS as f64 - 1.0;
        1.0 / (1.0 + (-(x[0] * t + x[1])).exp()) + x[2] * t * t
    };
    (0..TERMS).map(term).sum()
}

/// A gradient with its estimate and its price.
fn measured(f: impl Fn(&[f64]) -> f64 + Sync, x: &[f64], difference: Difference) -> gpu_train::Result<Value> {
    let begun = Instant::now();
    let found = numerical_gradient(f, x, &FunctionOptions { difference, ..FunctionOptions::default() })?;
    Ok(json!({
        "seconds": begun.elapsed().as_secs_f64(),
        "evaluations": found.evaluations,
        "estimate": found.error_estimate(),
        "gradient": found.gradient,
    }))
}

fn main() -> gpu_train::Result<()> {
    let at: Vec<f64> = (1..=100).map(|index| 2.0 * (f64::from(index) * 0.618_033_988_75).fract() - 0.5).collect();
    let mut all = serde_json::Map::new();
    for difference in [Difference::Forward, Difference::Central, Difference::Richardson] {
        let both = json!({
            "rosenbrock": measured(rosenbrock, &at, difference)?,
            "long sum": measured(long_sum, &[1.3, -0.4, 0.7], difference)?,
        });
        all.insert(difference.name().into(), both);
    }
    println!("{}", Value::Object(all));
    Ok(())
}
