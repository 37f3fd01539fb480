// Grids that are folded into two dimensions beyond 65,535 workgroups.

// The number of this workgroup.
fn workgroup_number(workgroup: vec3<u32>, workgroups: vec3<u32>) -> u32 {
    return workgroup.y * workgroups.x + workgroup.x;
}
