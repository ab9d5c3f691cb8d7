// Dropout mask from ChaCha8: element e is `scale` where word e mod 16 of block e div 16 of the stream is at most `last`,
// else 0. The same words, bit for bit, as the host draws: one invocation computes one block.
// One version. To run it beside the host: cargo test -p tests vulkan::statistics

struct Params {
    len: u32,
    scale: f32,
    last: u32,
    // The key is the seed in its first two words, the rest is 0.
    seed_low: u32,
    seed_high: u32,
    stream_low: u32,
    stream_high: u32,
}
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> mask: array<f32>;

fn rotate(x: u32, by: u32) -> u32 {
    return (x << by) | (x >> (32u - by));
}

// One quarter round on four of the sixteen words.
fn quarter(s: ptr<function, array<u32, 16>>, a: u32, b: u32, c: u32, d: u32) {
    (*s)[a] += (*s)[b];
    (*s)[d] = rotate((*s)[d] ^ (*s)[a], 16u);
    (*s)[c] += (*s)[d];
    (*s)[b] = rotate((*s)[b] ^ (*s)[c], 12u);
    (*s)[a] += (*s)[b];
    (*s)[d] = rotate((*s)[d] ^ (*s)[a], 8u);
    (*s)[c] += (*s)[d];
    (*s)[b] = rotate((*s)[b] ^ (*s)[c], 7u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let blocks = (p.len + 15u) / 16u;
    for (var block = id.x; block < blocks; block += groups.x * 64u) {
        // "expand 32-byte k", the key, the block's number, the stream's number.
        let start = array<u32, 16>(
            0x61707865u, 0x3320646eu, 0x79622d32u, 0x6b206574u,
            p.seed_low, p.seed_high, 0u, 0u,
            0u, 0u, 0u, 0u,
            block, 0u, p.stream_low, p.stream_high,
        );
        var s = start;
        for (var round = 0u; round < 4u; round += 1u) {
            quarter(&s, 0u, 4u, 8u, 12u);
            quarter(&s, 1u, 5u, 9u, 13u);
            quarter(&s, 2u, 6u, 10u, 14u);
            quarter(&s, 3u, 7u, 11u, 15u);
            quarter(&s, 0u, 5u, 10u, 15u);
            quarter(&s, 1u, 6u, 11u, 12u);
            quarter(&s, 2u, 7u, 8u, 13u);
            quarter(&s, 3u, 4u, 9u, 14u);
        }
        var initial = start;
        for (var i = 0u; i < 16u; i += 1u) {
            let e = block * 16u + i;
            if e < p.len {
                mask[e] = select(0.0, p.scale, s[i] + initial[i] <= p.last);
            }
        }
    }
}
