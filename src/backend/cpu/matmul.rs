//! Matrix products. See `shaders/matmul.wgsl`.

use super::memory::View;
use super::team::Worker;
use crate::backend::op::Matmul;

pub(super) fn run(op: &Matmul, view: &View<'_>, worker: &mut Worker<'_>) {
    let [m, k, n] = op.shape();
    let (a, b) = (view.floats(op.a), view.floats(op.b));
    let bias = op.bias.map(|bias| view.floats(bias));
    // The blocks depend on the shape alone, so the sums and their order do not depend on the team.
    let block = block_rows(m);
    let share = worker.share(m, block);
    // SAFETY: this worker's rows, taken once.
    let out = unsafe { view.floats_mut(op.out, share.start * n..share.end * n) };
    if let Some(bias) = bias {
        out.chunks_exact_mut(n).for_each(|row| row.copy_from_slice(bias));
    }
    let (a_rs, a_cs) = if op.transpose_a { (1, m) } else { (k, 1) };
    let (b_rs, b_cs) = if op.transpose_b { (1, k) } else { (n, 1) };
    for (index, out) in out.chunks_mut(block * n).enumerate() {
        let first = share.start + index * block;
        // SAFETY: `a` holds [m, k] and `b` [k, n] under these strides; the rows from `first` on that `out` has
        // room for are rows of the result; the three do not overlap.
        unsafe {
            gemm::gemm(
                out.len() / n,
                n,
                k,
                out.as_mut_ptr(),
                1,
                n as isize,
                bias.is_some(),
                a.as_ptr().add(first * a_rs),
                a_cs as isize,
                a_rs as isize,
                b.as_ptr(),
                b_cs as isize,
                b_rs as isize,
                1.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    }
}

/// Rows of the result that are computed together.
fn block_rows(m: usize) -> usize {
    (m / 8).next_multiple_of(16).clamp(16, 256)
}
