//! `mutualformer devices`: where this machine can compute.

use anyhow::Result;
use serde_json::{Value, json};
use shaders::{Adapter, adapters};

/// Prints the processor and every Vulkan device, or why there is none.
pub(crate) fn print(as_json: bool) -> Result<()> {
    let (threads, instructions) = (rayon::current_num_threads(), autograd::vector_instructions());
    let found = adapters();
    if as_json {
        let cpu = json!({ "device": "cpu", "threads": threads, "vector_instructions": instructions });
        let vulkan = found.iter().flatten().map(object);
        let devices: Vec<Value> = [cpu].into_iter().chain(vulkan).collect();
        let problem = found.as_ref().err().map(ToString::to_string);
        println!("{}", json!({ "devices": devices, "no_vulkan_because": problem }));
        return Ok(());
    }
    println!("cpu: {threads} threads, vector instructions: {instructions}");
    match found {
        Ok(adapters) => adapters.iter().for_each(|adapter| println!("{adapter}")),
        Err(error) => println!("no vulkan: {error}"),
    }
    Ok(())
}

fn object(adapter: &Adapter) -> Value {
    json!({
        "device": format!("vulkan:{}", adapter.index),
        "name": adapter.name,
        "kind": adapter.kind,
        "driver": adapter.driver,
        "memory_bytes": adapter.memory,
        "tensor_bytes": adapter.binding_limit,
        "workgroup": adapter.workgroup_invocations,
        "shared_bytes": adapter.shared_memory,
        "subgroup": adapter.subgroup_size,
        "subgroup_sums": adapter.subgroup_sums,
        "fp16": adapter.fp16,
        "timestamps": adapter.timestamps,
    })
}
