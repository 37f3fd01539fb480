// The gradient of one sample's loss by its logits. OUTPUT is the number that the engine gives to what the outputs
// are and how they are measured: 0 softmax and cross entropy, 1 softmax and sum of squares, 2 raw outputs and sum of
// squares.

override OUTPUT: u32;

struct LossBase {
    // y - 1 of the target: with softmax minus the others' sum, which keeps its precision where y is nearly 1.
    miss: f32,
    // y / (y + epsilon) of the target.
    share: f32,
    // sum_k y_k (y_k - t_k)
    mean: f32,
}

// From the target's output, the sum of the others and the sum of their squares.
fn loss_base(y_target: f32, others: f32, squares: f32, epsilon: f32) -> LossBase {
    let share = select(y_target / (y_target + epsilon), 1.0, epsilon == 0.0);
    let miss = select(-others, y_target - 1.0, OUTPUT == 2u);
    return LossBase(miss, share, squares + miss * y_target);
}

fn loss_slope(base: LossBase, y: f32, is_target: bool) -> f32 {
    let difference = select(y, base.miss, is_target);
    if OUTPUT == 0u {
        return base.share * difference;
    } else if OUTPUT == 1u {
        return y * (difference - base.mean);
    }
    return difference;
}
