// Who works on which row, first way: the 128 invocations of a workgroup share a row and add up in shared memory. For
// long rows, and for devices without subgroup sums.
// Included by other shaders; nothing to run by itself.

struct Place {
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
}

// `lanes` invocations work on a row together, this one is number `lane`; theirs are the rows `row`, `row + step`, …
struct Team { row: u32, step: u32, lane: u32, lanes: u32 }

fn join(at: Place) -> Team {
    return Team(at.group.x, at.groups.x, at.lane, WIDTH);
}

// The sum of every member's value; all members must call it together.
fn row_sum(value: f32, lane: u32) -> f32 {
    return group_sum(value, lane);
}

// The largest of every member's value.
fn row_max(value: f32, lane: u32) -> f32 {
    partial[lane] = value;
    workgroupBarrier();
    for (var half = WIDTH / 2u; half > 0u; half /= 2u) {
        if lane < half {
            partial[lane] = max(partial[lane], partial[lane + half]);
        }
        workgroupBarrier();
    }
    let largest = partial[0];
    workgroupBarrier();
    return largest;
}
