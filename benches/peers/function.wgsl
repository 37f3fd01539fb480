// The energy of a chain of particles: springs between neighbours, stiffness at each joint, a soft repulsion of all pairs
// and a well that holds them. x: three coordinates a particle.

const PARTICLES = u32(N) / 3u;
const REST = 0.8;
const SPRING = 4.0;
const STIFFNESS = 0.5;
const REPULSION = 0.3;
const CORE = 0.1;
const WELL = 0.05;

fn place(x: ptr<function, array<f32, N>>, i: u32) -> vec3<f32> {
    return vec3<f32>((*x)[3u * i], (*x)[3u * i + 1u], (*x)[3u * i + 2u]);
}

fn spring(a: vec3<f32>, b: vec3<f32>) -> f32 {
    let d = b - a;
    let stretch = sqrt(dot(d, d)) - REST;
    return 0.5 * SPRING * stretch * stretch;
}

fn joint(a: vec3<f32>, b: vec3<f32>, c: vec3<f32>) -> f32 {
    let bend = a - 2.0 * b + c;
    return 0.5 * STIFFNESS * dot(bend, bend);
}

fn pair(a: vec3<f32>, b: vec3<f32>) -> f32 {
    let d = b - a;
    let near = 1.0 / (dot(d, d) + CORE);
    return REPULSION * near * near;
}

fn f(x: ptr<function, array<f32, N>>) -> f32 {
    var energy = 0.0;
    for (var i = 0u; i < PARTICLES; i++) {
        let here = place(x, i);
        energy += WELL * dot(here, here);
        if i + 1u < PARTICLES {
            energy += spring(here, place(x, i + 1u));
        }
        if i + 2u < PARTICLES {
            energy += joint(here, place(x, i + 1u), place(x, i + 2u));
        }
        for (var k = i + 1u; k < PARTICLES; k++) {
            energy += pair(here, place(x, k));
        }
    }
    return energy;
}
