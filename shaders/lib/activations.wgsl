// The activations and their slopes, by the number that the engine gives them: 0 identity, 1 sigmoid, 2 tanh, 3 ReLU,
// 4 GELU, 5 softplus.

override ACTIVATION: u32;

fn activate(a: f32) -> f32 {
    if ACTIVATION == 1u {
        return sigmoid(a).x;
    } else if ACTIVATION == 2u {
        return tanh_sech2(a).x;
    } else if ACTIVATION == 3u {
        return select(max(a, 0.0), a, is_nan(a));
    } else if ACTIVATION == 4u {
        return select(a * normal(a).x, a, is_nan(a));
    } else if ACTIVATION == 5u {
        return select(softplus(a), a, is_nan(a));
    }
    return a;
}

// phi'(a); 0 for ReLU at 0.
fn slope(a: f32) -> f32 {
    if ACTIVATION == 1u {
        let both = sigmoid(a);
        return both.x * both.y;
    } else if ACTIVATION == 2u {
        return tanh_sech2(a).y;
    } else if ACTIVATION == 3u {
        return select(0.0, 1.0, a > 0.0);
    } else if ACTIVATION == 4u {
        let both = normal(a);
        return select(a * both.y + both.x, a, is_nan(a));
    } else if ACTIVATION == 5u {
        return sigmoid(a).x;
    }
    return 1.0;
}
