fn gpu_train_evaluate() -> f32 {
    var x: array<f32, N>;
    for (var i = 0u; i < N; i++) {
        x[i] = parameter(i);
    }
    return f(&x);
}
