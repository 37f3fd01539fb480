// How what pairs of points do to a sample's loss becomes a Chebyshev polynomial, and how far that may be off. The kernel declares
// `struct At`, the curve at hand, and `change(at, pair, s)`, the loss at one end of a pair less that at the other; `coefficients`
// and `errors`, and in its parameters `scale`, 1 / 2N, and `tolerance`.

struct Fit {
    // By order.
    coefficients: array<f32, 8>,
    // The largest difference from the curve at a spare pair.
    missed: f32,
}

fn fit(at: At, reach: f32) -> Fit {
    var result = Fit();
    for (var node = 0u; node < NODES; node++) {
        let s = reach * position(node);
        let quotient = parameters.scale / s * change(at, node, s);
        for (var order = 0u; order < NODES; order++) {
            result.coefficients[order] += transform(order, node) * quotient;
        }
    }
    if NODES > 1u {
        for (var check = 0u; check < CHECKS; check++) {
            let s = reach * spare_position(check);
            var read = 0.0;
            // The smallest terms first.
            for (var step = 0u; step < NODES; step++) {
                let order = NODES - 1u - step;
                read += spare_polynomial(check, order) * result.coefficients[order];
            }
            read -= parameters.scale / s * change(at, NODES + check, s);
            result.missed = max(result.missed, abs(read));
        }
    }
    return result;
}

// What more than one pair tells, as a share of the curve's size.
fn error_of(fit: Fit, size: f32) -> f32 {
    let last = abs(fit.coefficients[NODES - 1u]);
    return estimate(last, abs(fit.coefficients[max(NODES, 2u) - 2u]), fit.missed, size);
}

// Writes curve `number` of `curves`: its error, and its coefficients if that is tolerated.
fn write(fit: Fit, error: f32, refused: bool, number: u32, curves: u32) {
    let known = select(error, infinity(), refused || !is_finite(fit.coefficients[0]));
    // By the bits, which order numbers that are not negative and put NaN last.
    let trusted = bitcast<u32>(known) <= bitcast<u32>(parameters.tolerance);
    errors[number] = known;
    for (var order = 0u; order < NODES; order++) {
        coefficients[(NODES - 1u - order) * curves + number] = select(0.0, fit.coefficients[order], trusted);
    }
}
