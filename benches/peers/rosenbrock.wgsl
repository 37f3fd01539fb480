// Rosenbrock's function, as a sum of terms.

const TERMS = N - 1;

fn term(i: u32) -> f32 {
    let a = parameter(i);
    let rise = parameter(i + 1u) - a * a;
    let rest = 1.0 - a;
    return 100.0 * rise * rise + rest * rest;
}
