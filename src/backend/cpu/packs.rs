//! Which factors of products are packed for all parts beforehand, and when.

use std::collections::HashMap;

use super::cut::Cut;
use super::plan::{Plan, Task, parts};
use crate::Result;
use crate::backend::op::Matmul;
use crate::backend::tensor::{BufferId, Tensor};

/// Elements whose packing takes as long as a barrier: where the parts of a product would pack more than these once too
/// often, a task of its own costs less.
pub(super) const WORTH_PACKING: usize = 16_384;

/// Lines a thread of the side that is cut, from which on packing the other factor itself is a small part of a thread's
/// work, and reading what another core has packed costs as much.
const MANY_LINES: usize = 256;

/// Elements that a program's packed factors may have together: 64 MiB of them.
const MOST_PACKED: usize = 16 << 20;

/// Tasks that are looked through for the one behind which a factor can be packed.
const FARTHEST: usize = 64;

/// What is packed where: a factor, whether it is read transposed, and the width of its panels.
#[derive(Default)]
pub(super) struct Packs {
    at: HashMap<(Tensor, bool, usize), Tensor>,
    floats: usize,
}

impl Packs {
    /// Adds a product to the plan, and before it the packing that it wants.
    pub(super) fn product(
        &mut self,
        op: Matmul,
        threads: usize,
        plan: &mut Plan,
        allocate: &mut dyn FnMut(usize) -> Result<BufferId>,
    ) -> Result<()> {
        let cut = Cut::of(&op, threads);
        let packed = self.packed(&op, cut, threads, plan, allocate)?;
        plan.tasks.push(Task::Product(op, cut, packed));
        Ok(())
    }

    fn packed(
        &mut self,
        op: &Matmul,
        cut: Cut,
        threads: usize,
        plan: &mut Plan,
        allocate: &mut dyn FnMut(usize) -> Result<BufferId>,
    ) -> Result<Option<Tensor>> {
        let (factor, width, [lines, terms]) = cut.common(op);
        let parts = parts(&Task::Product(*op, cut, None), threads);
        if (parts - 1) * lines * terms < WORTH_PACKING || cut.lines(op) >= threads * MANY_LINES {
            return Ok(None);
        }
        let transposed = if cut == Cut::Rows { op.transpose_b } else { !op.transpose_a };
        let key = (factor, transposed, width);
        let packed = match self.at.get(&key) {
            Some(&packed) => packed,
            None if self.floats + lines * terms > MOST_PACKED => return Ok(None),
            None => {
                self.floats += lines * terms;
                let packed = plan.tensor(lines, terms, allocate)?;
                *self.at.entry(key).or_insert(packed)
            }
        };
        // As early as can be: so it goes together with other tasks, and wants no barrier of its own.
        let mut place = plan.tasks.len();
        let nearest = place.saturating_sub(FARTHEST);
        while place > nearest {
            let touched = plan.tasks[place - 1].touched()?;
            if touched.iter().any(|(span, write)| *write && span.overlaps(&factor.span())) {
                break;
            }
            if touched.iter().any(|(span, _)| span.overlaps(&packed.span())) {
                // Packed for an earlier product, and nobody has written to the factor since.
                return Ok(Some(packed));
            }
            place -= 1;
        }
        plan.tasks.insert(place, Task::PackFactor(*op, cut, packed));
        Ok(Some(packed))
    }
}

#[cfg(test)]
mod tests {
    use crate::backend::cpu::CpuBackend;
    use crate::backend::{Backend, Fill, Matmul, Recording, Tensor};

    /// Products that want their factors packed, of a factor that is written between them: the bits do not depend on the
    /// number of threads, and each product sees what was there when its turn came, in every round.
    #[test]
    fn packed_factors_are_those_of_their_time() {
        // Cut by rows and by columns, with either factor transposed.
        for [m, k, n] in [[288, 256, 128], [120, 400, 512]] {
            for (transpose_a, transpose_b) in [(false, false), (true, false), (false, true)] {
                let run = |threads: usize| {
                    let mut cpu = CpuBackend::new(Some(threads));
                    let backend: &mut dyn Backend = &mut cpu;
                    let wave =
                        |count: usize, step: f32| (0..count).map(|i| (i as f32 * step).sin()).collect::<Vec<_>>();
                    let shape = |rows, columns, transpose| if transpose { (columns, rows) } else { (rows, columns) };
                    let (rows, columns) = shape(m, k, transpose_a);
                    let a = backend.tensor_from(&wave(m * k, 0.37), rows, columns, "a").expect("room");
                    let (rows, columns) = shape(k, n, transpose_b);
                    let b = backend.tensor_from(&wave(k * n, 0.71), rows, columns, "b").expect("room");
                    let outs = [0, 1, 2].map(|_| backend.tensor(m, n, "out").expect("room"));
                    let mut recording = Recording::new();
                    let product = |out| Matmul { a, transpose_a, b, transpose_b, bias: None, out };
                    recording.push(product(outs[0])).expect("a product");
                    recording.push(product(outs[1])).expect("a product");
                    // A part of each factor, so that the last product differs from the first ones.
                    for tensor in [a, b] {
                        let out = Tensor { offset: 3, rows: 1, columns: 40, ..tensor };
                        recording.push(Fill { out, value: 2.5 }).expect("a fill");
                    }
                    recording.push(product(outs[2])).expect("a product");
                    let program = backend.prepare(&recording).expect("a program");
                    backend.run(program, 1).expect("a run");
                    let first = outs.map(|out| backend.read_tensor(out).expect("values"));
                    backend.run(program, 2).expect("a run");
                    let last = outs.map(|out| backend.read_tensor(out).expect("values"));
                    let factors = [a, b].map(|tensor| backend.read_tensor(tensor).expect("values"));
                    (first, last, factors)
                };
                let (first, last, [a, b]) = run(1);
                assert_eq!(first[0], first[1]);
                assert_ne!(first[0], first[2], "the control: what was written shows");
                assert_eq!(first[2], last[2]);
                assert_eq!(last[0], last[2]);
                for (index, &got) in last[2].iter().enumerate() {
                    let (row, column) = (index / n, index % n);
                    let terms = (0..k).map(|t| {
                        let a = a[if transpose_a { t * m + row } else { row * k + t }];
                        let b = b[if transpose_b { column * k + t } else { t * n + column }];
                        f64::from(a) * f64::from(b)
                    });
                    let wanted: f64 = terms.sum();
                    // Sums of some hundred products of about 1, each rounded.
                    assert!((f64::from(got) - wanted).abs() < 1e-3, "{row}, {column}: {got}, not {wanted}");
                }
                for threads in [2, 3, 5] {
                    assert_eq!(
                        run(threads),
                        (first.clone(), last.clone(), [a.clone(), b.clone()]),
                        "{threads} threads"
                    );
                }
            }
        }
    }
}
