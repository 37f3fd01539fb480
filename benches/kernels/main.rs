//! The kernels under criterion, a family a file: `cargo bench --bench kernels [-- FILTER]`.
//!
//! On the CPU path, and on the adapter that `GPU_TRAIN_BENCH_DEVICE` names (`software`, `gpu`, an index, part of a
//! name); without it on a software adapter where there is one. What is measured is an execution on data that are there:
//! on an adapter that is some hundred executions in one submission, waited for.

mod elements;
mod matmul;
mod probes;
mod steps;
mod support;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for device in &mut support::devices() {
        matmul::bench(&mut criterion, device);
        elements::bench(&mut criterion, device);
        probes::bench(&mut criterion, device);
        steps::bench(&mut criterion, device);
    }
    criterion.final_summary();
}
