// The sizes of C = alpha·op(A)·op(B), which every version of the product shares. Transposes are strides; a batch stride of
// 0 uses one matrix for all products. A long inner sum may be cut into pieces: the products of the batch are then the
// pieces of one product, `whole` is the length of its sum, and somebody adds the results.
// Included by other shaders; nothing to run by itself.

struct Params {
    batch: u32, m: u32, k: u32, n: u32,
    a_batch: u32, a_row: u32, a_col: u32,
    b_batch: u32, b_row: u32, b_col: u32,
    whole: u32, alpha: f32, beta: f32,
}
var<immediate> p: Params;

// The number of terms of product `item`: k, and in the last piece of a sum what is left of it.
fn terms(item: u32) -> u32 {
    if p.whole == 0u {
        return p.k;
    }
    return min(p.k, p.whole - item * p.k);
}
