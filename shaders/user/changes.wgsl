// out[move] = what the sum of terms `first..end` makes of one variable's move, for several moves an invocation: each
// term is evaluated at the point once for all of them, and then at each. A line with a dollar sign stands there once
// for each move.
//
// Terms that the variable is not in change by exactly 0, so that the change has the rounding of those alone that it is
// in. Sums of 64 changes are added up on their own: a long sum loses less so.
//
// The floor, for Rosenbrock's function in 100,000 dimensions: its term is 8 operations, to put the moved variable in
// takes 4 and to add the change up 2, so 14 for each of 2e10 points and terms; with 8 lanes, two instructions a cycle
// and two cores of 2.3 GHz that is 3.8 s. Every point on its own would read 80 GB; here 128 share what is read.
//
// There are moves, of no meaning perhaps, for every invocation.

@group(0) @binding(1) var<storage, read> gpu_train_moves: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> gpu_train_out: array<f32>;
// How many moves, the first term, the end.
@group(0) @binding(3) var<uniform> gpu_train_range: vec4<u32>;

@compute @workgroup_size(64)
fn gpu_train_main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = ((workgroup.y * workgroups.x + workgroup.x) * 64u + local) * GPU_TRAIN_MOVES;
    let move_$ = gpu_train_moves[index + $u];
    var total_$ = 0.0;
    for (var start = gpu_train_range.y; start < gpu_train_range.z; start += 64u) {
        let end = min(start + 64u, gpu_train_range.z);
        var sum_$ = 0.0;
        for (var i = start; i < end; i++) {
            gpu_train_at_point();
            let before = term(i);
            gpu_train_moved(move_$); sum_$ += term(i) - before;
        }
        total_$ += sum_$;
    }
    // Not a number, whose bits no compiler may know beforehand.
    let missed = select(0u, 0x7fc00000u, gpu_train_missed());
    gpu_train_out[index + $u] = bitcast<f32>(bitcast<u32>(total_$) | missed);
}
