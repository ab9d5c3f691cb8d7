// dx = f'(x)·dy, element by element, where `saved` holds x or y = f(x), whichever `Unary::saved` names.
// One version. To run it beside the host: cargo test -p tests vulkan::every_row

override KIND: u32;

struct Params { len: u32, a: f32, b: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> dx: array<f32>;
@group(0) @binding(1) var<storage, read> saved: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;

fn slope(s: f32) -> f32 {
    switch KIND {
        case 0u: { return -1.0; }                                    // neg
        case 1u: { return s; }                                       // exp
        case 2u: { return 1.0 / s; }                                 // log
        case 3u: { return 0.5 / s; }                                 // sqrt
        case 4u: { return select(sign(s), s, is_nan(s)); }           // abs
        case 5u: { return 1.0 - s * s; }                             // tanh
        case 6u: { return s * (1.0 - s); }                           // sigmoid
        case 7u: { return select(1.0, 0.0, s <= 0.0); }              // relu
        case 8u: { return select(p.a, 1.0, s > 0.0); }               // leaky_relu
        case 9u: { return normal_cdf(s) + s * normal_density(s); }   // gelu
        case 10u: { return sigmoid(s); }                             // softplus
        case 11u: {                                                  // pow
            if p.a == 0.0 {
                return 0.0;
            }
            return p.a * power(s, p.a - 1.0);
        }
        case 12u: { return select(1.0, 0.0, s <= p.a || s >= p.b); } // clamp
        case 13u: { return 1.0; }                                    // add_scalar
        default: { return p.a; }                                     // mul_scalar
    }
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    for (var i = id.x; i < p.len; i += groups.x * 256u) {
        dx[i] = slope(saved[i]) * dy[i];
    }
}
