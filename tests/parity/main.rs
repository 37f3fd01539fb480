//! Every kernel on every device against a plain float64 reference; and the suite against faulty devices, which it
//! must tell from sound ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod deep;
mod directional;
mod elements;
mod formulas;
mod losses;
mod probes;
mod products;
mod suite;
#[path = "../support/mod.rs"]
mod support;
mod training;

use std::collections::BTreeSet;

use gpu_train::backend::gpu::DeviceClass;
use gpu_train::backend::{Backend, KERNELS, Matmul, Op, Rule};
use suite::{Case, Report, all_cases, run};
use support::devices::{Device, adapters, cpu};
use support::faulty::{Fault, Faulty, Rewrite};

/// All failures of the device, told at once.
fn demand_sound(device: &mut Device) -> Report {
    let report = device.with(|backend| run(backend, &all_cases()));
    assert!(
        report.failures.is_empty(),
        "{}: {} failures:\n{}",
        device.name,
        report.failures.len(),
        report.failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    );
    report
}

#[test]
fn every_kernel_has_cases() {
    let covered: BTreeSet<&str> = all_cases().iter().map(|case| case.kernel).collect();
    assert_eq!(covered, KERNELS.iter().copied().collect());
}

#[test]
fn cpu_computes_what_the_reference_says_with_the_same_bits_for_any_threads() {
    let one = demand_sound(&mut cpu(1));
    for threads in [2, 3] {
        let more = demand_sound(&mut cpu(threads));
        let cases = all_cases();
        let differing = one.bits.iter().zip(&more.bits).zip(&cases).filter(|((one, more), _)| one != more);
        let differing: Vec<String> = differing.map(|(_, case)| format!("{} {}", case.kernel, case.name)).collect();
        assert!(differing.is_empty(), "other bits with {threads} threads than with 1: {differing:?}");
    }
}

#[test]
fn every_adapter_computes_what_the_reference_says() {
    for mut adapter in adapters(None) {
        demand_sound(&mut adapter);
    }
}

#[test]
fn every_adapter_computes_it_with_the_tiles_for_gpus_too() {
    for mut adapter in adapters(Some(DeviceClass::Gpu)) {
        demand_sound(&mut adapter);
    }
}

/// The kernels that the suite finds wrong on a CPU path with this fault: from all cases of `kernel` that are quick,
/// and the first of every other kernel.
fn found(kernel: &str, fault: Fault) -> BTreeSet<&'static str> {
    let mut seen = BTreeSet::new();
    let cases: Vec<Case> = all_cases()
        .into_iter()
        .filter(|case| (case.kernel == kernel && !case.name.contains("101")) || seen.insert(case.kernel))
        .collect();
    let mut device = cpu(2);
    let mut faulty = Faulty::new(device.backend.as_mut(), fault);
    run(&mut faulty as &mut dyn Backend, &cases).failures.iter().map(|failure| failure.kernel).collect()
}

#[test]
fn a_result_off_by_a_thousandth_is_found_in_its_kernel_and_no_other() {
    for &kernel in KERNELS {
        assert_eq!(found(kernel, Fault::Perturbed(kernel)), BTreeSet::from([kernel]));
    }
}

#[test]
fn results_of_zero_are_found_in_their_kernel_and_no_other() {
    for &kernel in KERNELS {
        assert_eq!(found(kernel, Fault::Zeros(kernel)), BTreeSet::from([kernel]));
    }
}

/// Mistakes that a kernel could make, each as the operation that it would then compute.
const MISTAKES: &[(&str, &str, Rewrite)] = &[
    ("matmul", "the bias left out", |op| match op {
        Op::Matmul(op) => Some(vec![Matmul { bias: None, ..*op }.into()]),
        _ => None,
    }),
    ("matmul", "a square factor transposed", |op| match op {
        Op::Matmul(op) if op.b.rows == op.b.columns => {
            Some(vec![Matmul { transpose_b: !op.transpose_b, ..*op }.into()])
        }
        _ => None,
    }),
    ("softmax", "the logarithm forgotten", |op| match op {
        Op::Softmax(op) => Some(vec![gpu_train::backend::Softmax { logarithm: false, ..*op }.into()]),
        _ => None,
    }),
    ("cross_entropy", "another epsilon", |op| match op {
        Op::CrossEntropy(op) => {
            Some(vec![gpu_train::backend::CrossEntropy { epsilon: op.epsilon * 1.01, ..*op }.into()])
        }
        _ => None,
    }),
    ("update", "the momentum off by one in a thousand", |op| match op {
        Op::Update(op) => match op.rule {
            Rule::Momentum { momentum } => {
                let rule = Rule::Momentum { momentum: momentum * 1.001 };
                Some(vec![gpu_train::backend::Update { rule, ..*op }.into()])
            }
            _ => None,
        },
        _ => None,
    }),
    ("precise_affine", "the bias of another unit", |op| match op {
        Op::PreciseAffine(op) if op.weight.columns > 1 => {
            let mut op = *op;
            op.bias.offset += 1;
            Some(vec![op.into()])
        }
        _ => None,
    }),
    ("curve_features", "the range left out", |op| match op {
        Op::CurveFeatures(op) => Some(vec![gpu_train::backend::CurveFeatures { range: None, ..*op }.into()]),
        _ => None,
    }),
    ("probe_curve", "a step larger by one in a hundred", |op| match op {
        Op::ProbeCurve(op) => {
            let mut op = *op;
            op.layer.step_size *= 1.01;
            Some(vec![op.into()])
        }
        _ => None,
    }),
    ("probe_single", "a step larger by one in a hundred", |op| match op {
        Op::ProbeSingle(op) => {
            let mut op = *op;
            op.layer.step_size *= 1.01;
            Some(vec![op.into()])
        }
        _ => None,
    }),
    ("probe_behind", "the next curves", |op| match op {
        Op::ProbeBehind(op) if op.chunk.first > 0 => {
            let mut op = *op;
            op.chunk.first -= 1;
            Some(vec![op.into()])
        }
        _ => None,
    }),
    ("probe_difference", "a step larger by one in a hundred", |op| match op {
        Op::ProbeDifference(op) => {
            let mut op = *op;
            op.chunk.step_size *= 1.01;
            Some(vec![op.into()])
        }
        _ => None,
    }),
    ("perturb", "the directions of another seed", |op| match op {
        Op::Perturb(op) => {
            let mut op = *op;
            op.directions.seed += 1;
            Some(vec![op.into()])
        }
        _ => None,
    }),
    ("directional_gradient", "the next directions", |op| match op {
        Op::DirectionalGradient(op) => {
            let mut op = *op;
            op.directions.first += 1;
            Some(vec![op.into()])
        }
        _ => None,
    }),
    ("shift", "the sides exchanged", |op| match op {
        Op::Shift(op) => Some(vec![gpu_train::backend::Shift { step_size: -op.step_size, ..*op }.into()]),
        _ => None,
    }),
    ("batch_matmul", "the bias of another unit", |op| match op {
        Op::BatchMatmul(op) => Some(vec![gpu_train::backend::BatchMatmul { bias_at: op.bias_at + 1, ..*op }.into()]),
        _ => None,
    }),
    ("loss_differences", "a step larger by one in a hundred", |op| match op {
        Op::LossDifferences(op) => {
            let step_size = op.step_size * 1.01;
            Some(vec![gpu_train::backend::LossDifferences { step_size, ..*op }.into()])
        }
        _ => None,
    }),
    ("formula", "a step larger by one in a hundred", |op| match op {
        Op::Formula(op) => {
            Some(vec![gpu_train::backend::Formula { step_size: op.step_size * 1.01, ..op.clone() }.into()])
        }
        _ => None,
    }),
    ("formula", "the derivative in place of the quotient", |op| match op {
        Op::Formula(op) => Some(vec![gpu_train::backend::Formula { step_size: 1e-6, ..op.clone() }.into()]),
        _ => None,
    }),
    ("probe_list", "a tolerance ten times as large", |op| match op {
        Op::ProbeList(op) => Some(vec![gpu_train::backend::ProbeList { tolerance: op.tolerance * 10.0, ..*op }.into()]),
        _ => None,
    }),
];

#[test]
fn mistakes_are_found_in_their_kernel_and_no_other() {
    for &(kernel, mistake, rewrite) in MISTAKES {
        assert_eq!(found(kernel, Fault::Rewritten(rewrite)), BTreeSet::from([kernel]), "{kernel}: {mistake}");
    }
}
