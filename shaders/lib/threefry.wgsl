// Random bits as a function of a key and a counter, and the directions made of them: the same bits as in
// src/backend/threefry.rs. `Directions` in src/backend/op.rs says what a direction is.

fn threefry(key: vec2<u32>, counter: vec2<u32>) -> vec2<u32> {
    let third = 0x1bd11bdau ^ key.x ^ key.y;
    var x = counter + key;
    x = threefry_round(threefry_round(threefry_round(threefry_round(x, 13u), 15u), 26u), 6u);
    x += vec2<u32>(key.y, third + 1u);
    x = threefry_round(threefry_round(threefry_round(threefry_round(x, 17u), 29u), 16u), 24u);
    x += vec2<u32>(third, key.x + 2u);
    x = threefry_round(threefry_round(threefry_round(threefry_round(x, 13u), 15u), 26u), 6u);
    x += vec2<u32>(key.x, key.y + 3u);
    return threefry_round(x, 17u);
}

fn threefry_round(x: vec2<u32>, rotation: u32) -> vec2<u32> {
    let sum = x.x + x.y;
    return vec2<u32>(sum, ((x.y << rotation) | (x.y >> (32u - rotation))) ^ sum);
}

// The bits of elements `64 block..64 block + 64` of a direction.
fn direction_bits(seed: vec2<u32>, step: u32, direction: u32, block: u32) -> vec2<u32> {
    return threefry(threefry(seed, vec2<u32>(step, direction)), vec2<u32>(block, 0u));
}

// `value` where the element's bit is 0, `-value` where it is 1.
fn signed(value: f32, bits: vec2<u32>, element: u32) -> f32 {
    let word = select(bits.x, bits.y, element >= 32u);
    return bitcast<f32>(bitcast<u32>(value) ^ ((word >> (element % 32u)) << 31u));
}
