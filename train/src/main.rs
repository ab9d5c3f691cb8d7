//! The `mutualformer` tool.
fn main() {}
