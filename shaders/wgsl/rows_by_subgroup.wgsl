// Who works on which row, second way: a subgroup, the invocations that run in lock-step, takes a row and adds up in
// registers: no shared memory, no barriers, and several rows for each workgroup. For short rows.
// Sums follow loops in which some members make a round less than others; that all have joined again after the loop is what
// drivers do, and what the extension VK_KHR_shader_maximal_reconvergence would promise.
// Included by other shaders; nothing to run by itself.

struct Place {
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
}

// `lanes` invocations work on a row together, this one is number `lane`; theirs are the rows `row`, `row + step`, …
struct Team { row: u32, step: u32, lane: u32, lanes: u32 }

fn join(at: Place) -> Team {
    // Members are counted: a device may leave a subgroup partly empty.
    let lanes = subgroupAdd(1u);
    let lane = subgroupExclusiveAdd(1u);
    return Team(at.group.x * at.subgroups + at.subgroup, at.groups.x * at.subgroups, lane, lanes);
}

// The sum of every member's value; all members must call it together.
fn row_sum(value: f32, lane: u32) -> f32 {
    return subgroupAdd(value);
}

// The largest of every member's value.
fn row_max(value: f32, lane: u32) -> f32 {
    return subgroupMax(value);
}
