// What moves of pre-activations make of the activations behind them, both sides as a pair.

// Whether moves are taken to be so small (1/256) that three terms of the series are all there is; a curve with a larger one
// is refused. The engine says so where the step is small.
override SHORT: bool;

struct Series {
    unit: Unit,
    // phi(b + x) - phi(b) = x (slope + x (second + x third)) for small x.
    second: f32,
    third: f32,
}

fn series_of(b: f32) -> Series {
    let unit = unit_of(b);
    if ACTIVATION == 1u {
        return Series(unit, unit.slope * (unit.rest - unit.value) / 2.0, unit.slope * (1.0 - 6.0 * unit.slope) / 6.0);
    } else if ACTIVATION == 2u {
        return Series(unit, -unit.value * unit.slope, unit.slope * (3.0 * unit.value * unit.value - 1.0) / 3.0);
    } else if ACTIVATION == 4u {
        // There `rest` is the density of the normal distribution.
        return Series(unit, unit.rest * (2.0 - b * b) / 2.0, unit.rest * b * (b * b - 4.0) / 6.0);
    } else if ACTIVATION == 5u {
        let bend = unit.value * unit.rest;
        return Series(unit, bend / 2.0, bend * (unit.rest - unit.value) / 6.0);
    }
    return Series(unit, 0.0, 0.0);
}

// phi(b + x.x) - phi(b) and phi(b + x.y) - phi(b)
fn activation_changes(series: Series, x: vec2<f32>) -> vec2<f32> {
    if SHORT && ACTIVATION != 3u {
        return x * (series.unit.slope + x * (series.second + x * series.third));
    }
    return unit_changes(series.unit, x);
}

// Whether moves lead over a kink, or beyond what the short form holds for; `factor` is what they grow by to the end of the
// curve.
fn is_refused(b: f32, x: vec2<f32>, factor: f32) -> bool {
    let farthest = max(abs(x.x), abs(x.y)) * factor;
    if ACTIVATION == 3u {
        // A little wider than it is: the moves themselves are rounded.
        return abs(b) <= farthest * 1.00001;
    }
    return SHORT && farthest > 0.00390625;
}
