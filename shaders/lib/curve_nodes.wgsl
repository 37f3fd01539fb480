// Where curves are measured, and how what is measured becomes a polynomial. The kernel's `parameters` end with
// `nodes: array<vec4<f32>, 26>`; eight floats are two of these: the nodes' positions, the rows of the transform, the spare
// pairs' positions, and the polynomials at each of those.

// Pairs of points on each curve, and spare ones that check it.
override NODES: u32;
override CHECKS: u32;

fn position(node: u32) -> f32 {
    return parameters.nodes[node / 4u][node % 4u];
}

// Of a node, or of a spare pair behind them.
fn pair_position(pair: u32) -> f32 {
    if pair < NODES {
        return position(pair);
    }
    return spare_position(pair - NODES);
}

fn transform(order: u32, node: u32) -> f32 {
    return parameters.nodes[2u + order * 2u + node / 4u][node % 4u];
}

fn spare_position(check: u32) -> f32 {
    return parameters.nodes[18u][check];
}

fn spare_polynomial(check: u32, order: u32) -> f32 {
    return parameters.nodes[20u + check * 2u + order / 4u][order % 4u];
}

// The larger of what the spare pairs saw and of what the first coefficient left out would be, if it shrinks from the
// last one as that shrank from the one before.
fn estimate(last: f32, before: f32, missed: f32, size: f32) -> f32 {
    let smallest = 1.17549435e-38;
    let ratio = min(last / max(before, smallest), 1.0);
    let worst = max(last * ratio, missed);
    // Float32 noise is no sign of anything.
    return select(worst / max(size, smallest), 0.0, max(last, missed) <= 4e-7 * size);
}
