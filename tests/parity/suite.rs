//! The table of cases, and the run of it on a device.

use std::fmt;

use gpu_train::Result;
use gpu_train::backend::{Backend, Op};

use crate::support::memory::{Memory, describe};

/// Lays out a case's operands in memory and says what to do with them.
type Build = Box<dyn Fn(&mut Memory) -> Result<Op>>;

/// One operation on one set of operands.
pub(crate) struct Case {
    pub(crate) kernel: &'static str,
    pub(crate) name: String,
    build: Build,
}

/// Collects cases.
#[derive(Default)]
pub(crate) struct Cases(Vec<Case>);

impl Cases {
    pub(crate) fn add(
        &mut self,
        kernel: &'static str,
        name: impl Into<String>,
        build: impl Fn(&mut Memory) -> Result<Op> + 'static,
    ) {
        self.0.push(Case { kernel, name: name.into(), build: Box::new(build) });
    }
}

/// Every case of every kernel.
pub(crate) fn all_cases() -> Vec<Case> {
    let mut cases = Cases::default();
    crate::elements::add(&mut cases);
    crate::products::add(&mut cases);
    crate::losses::add(&mut cases);
    crate::training::add(&mut cases);
    crate::probes::add(&mut cases);
    crate::deep::add(&mut cases);
    crate::directional::add(&mut cases);
    crate::formulas::add(&mut cases);
    cases.0
}

/// A case that a device got wrong.
pub(crate) struct Failure {
    pub(crate) kernel: &'static str,
    case: String,
    problem: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} [{}]: {}", self.kernel, self.case, self.problem)
    }
}

/// What a run found.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) failures: Vec<Failure>,
    /// All bits that were written, case by case.
    pub(crate) bits: Vec<Vec<u32>>,
}

/// Runs the cases, whatever becomes of each.
pub(crate) fn run(backend: &mut dyn Backend, cases: &[Case]) -> Report {
    let mut report = Report::default();
    for (index, case) in cases.iter().enumerate() {
        // Operands at the beginning of their buffers, and as views further inside.
        let shift = [0, 64, 128][index % 3];
        let mut memory = Memory::new(backend, shift);
        let outcome = (case.build)(&mut memory).and_then(|op| {
            assert_eq!(op.name(), case.kernel, "a case stands under its kernel's name");
            memory.check(op)
        });
        let mut fail = |problem| {
            report.failures.push(Failure { kernel: case.kernel, case: case.name.clone(), problem });
        };
        let mut bits = Vec::new();
        match outcome {
            Err(error) => fail(describe(&error)),
            Ok(outcome) => {
                for (operand, mismatch) in outcome.wrong {
                    fail(format!("{operand}: {mismatch}"));
                }
                bits = outcome.bits;
            }
        }
        report.bits.push(bits);
    }
    report
}
