// y = f(x), element by element. KIND chooses f in the order of `autograd::device::Unary`; a and b are its parameters.
// One version. To run it beside the host: cargo test -p tests vulkan::every_row

override KIND: u32;

struct Params { len: u32, a: f32, b: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;

fn value(x: f32) -> f32 {
    switch KIND {
        case 0u: { return -x; }                                      // neg
        case 1u: { return exp(x); }                                  // exp
        case 2u: { return log(x); }                                  // log
        case 3u: { return sqrt(x); }                                 // sqrt
        case 4u: { return abs(x); }                                  // abs
        case 5u: { return tanh_of(x); }                              // tanh
        case 6u: { return sigmoid(x); }                              // sigmoid
        case 7u: { return select(x, 0.0, x <= 0.0); }                // relu
        case 8u: { return select(p.a * x, x, x > 0.0); }             // leaky_relu
        case 9u: { return x * normal_cdf(x); }                       // gelu
        case 10u: { return softplus(x); }                            // softplus
        case 11u: { return power(x, p.a); }                          // pow
        case 12u: { return select(select(x, p.a, x < p.a), p.b, x > p.b); } // clamp
        case 13u: { return x + p.a; }                                // add_scalar
        default: { return x * p.a; }                                 // mul_scalar
    }
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    for (var i = id.x; i < p.len; i += groups.x * 256u) {
        y[i] = value(x[i]);
    }
}
