//! Every op's gradient against central differences, and no op without.

use autograd::gradcheck::{GradcheckOptions, gradcheck, gradcheck_params};
use autograd::random::Key;
use autograd::{Ctx, Init, ParamId, Params, Tensor, Var};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tests::op_table::rows;

#[test]
fn every_row_agrees_with_central_differences() {
    let mut failures = Vec::new();
    let mut checked = 0;
    for row in rows::<f64>().iter().filter(|row| row.smooth) {
        match gradcheck(|x| row.apply(x), &row.draw(), GradcheckOptions::default()) {
            Ok(report) => checked += report.checked,
            Err(error) => failures.push(format!("{}: {error}", row.name)),
        }
    }
    assert!(failures.is_empty(), "{} rows fail:\n{}", failures.len(), failures.join("\n"));
    assert!(checked > 5000, "only {checked} derivatives were compared");
}

#[test]
fn gradients_at_kinks_follow_the_documented_choice() {
    let expected: [(&str, &[f64]); 7] = [
        ("abs: at 0", &[-1.0, 0.0, 1.0, 1.0]),
        ("relu: at 0", &[0.0, 0.0, 1.0, 1.0]),
        ("leaky_relu: at 0", &[0.2, 0.2, 1.0, 1.0]),
        ("clamp: on the limits", &[0.0, 1.0, 0.0, 1.0]),
        ("amax: equal values", &[0.0, 0.5, 0.5, 0.0, 0.0, 1.0]),
        ("amin: equal values", &[1.0, 0.0, 0.0, 0.5, 0.5, 0.0]),
        ("max_pool2d: equal values", &[1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0]),
    ];
    let rows: Vec<_> = rows::<f64>().into_iter().filter(|row| !row.smooth).collect();
    assert_eq!(rows.len(), expected.len(), "every row at a kink states what it expects here");
    for (row, (name, gradient)) in rows.iter().zip(expected) {
        assert_eq!(row.name, name);
        let tape = autograd::Tape::new();
        let x = tape.leaf(row.draw().remove(0));
        let grads = row.apply(std::slice::from_ref(&x)).sum_all().backward();
        assert_eq!(grads.of(&x).expect("x is an input").as_slice(), gradient, "{name}");
    }
}

#[test]
fn checkpoints_return_gradients_of_parameters() {
    let (params, [first, second]) = Params::<f64>::build(3, |scope| {
        ["first", "second"].map(|name| scope.param(name, &[4, 4], Init::Normal { std: 0.7 }))
    });
    let x = Tensor::randn(&[3, 4], Key::default(), 1);
    let layer = |ctx: &Ctx<f64>, x: &Var<f64>, id: ParamId| {
        x.linear(&ctx.param(id), None).tanh().dropout(0.3, ctx.next_site())
    };
    let plain = |params: &Params<f64>| {
        let ctx = Ctx::train(params, Key { seed: 2, ..Key::default() });
        let hidden = layer(&ctx, &Var::constant(x.clone()), first);
        let hidden = layer(&ctx, &layer(&ctx, &hidden, second), first);
        layer(&ctx, &hidden, second).sum_all()
    };
    let checkpointed = |params: &Params<f64>| {
        let ctx = Ctx::train(params, Key { seed: 2, ..Key::default() });
        let hidden = layer(&ctx, &Var::constant(x.clone()), first);
        let inside = move |ctx: &Ctx<f64>, x: &[Var<f64>]| layer(ctx, &layer(ctx, &x[0], second), first);
        layer(&ctx, &ctx.checkpoint(&[&hidden], inside), second).sum_all()
    };
    gradcheck_params(checkpointed, &params, 4, GradcheckOptions::default()).expect("gradients agree");
    let (a, b) = (plain(&params), checkpointed(&params));
    assert_eq!(a.value().as_slice(), b.value().as_slice());
    let (a, b) = (a.backward(), b.backward());
    for id in [first, second] {
        let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-13 * a.abs().max(1.0);
        let (a, b) = (a.param(id).expect("used"), b.param(id).expect("used"));
        assert!(a.as_slice().iter().zip(b.as_slice()).all(close), "{}", params.name(id));
    }
}

#[test]
fn rows_have_different_names() {
    let rows = rows::<f64>();
    let names: BTreeSet<&str> = rows.iter().map(|row| row.name).collect();
    assert_eq!(
        names.len(),
        rows.len(),
        "values are drawn by name, so two rows of one name are hardly different"
    );
}

#[test]
fn every_recorded_op_has_a_row() {
    let recorded: BTreeSet<String> =
        rows::<f64>().iter().flat_map(|row| row.run(Tensor::clone).names).map(str::to_owned).collect();
    let written = sources().iter().flat_map(|path| names_in(&read(path))).collect::<BTreeSet<String>>();
    assert!(written.len() >= 45, "the scan of the sources found only {written:?}");
    let missing: Vec<&String> = written.difference(&recorded).collect();
    assert!(missing.is_empty(), "ops without a row in the op table: {missing:?}");
}

#[test]
fn every_public_function_has_a_row() {
    let ops: BTreeSet<&str> = rows::<f64>().iter().map(|row| row.op()).collect();
    let functions: BTreeSet<String> = sources()
        .iter()
        .filter(|path| !path.ends_with("ctx.rs"))
        .flat_map(|path| functions_in(&read(path)))
        .collect();
    assert!(functions.len() >= 70, "the scan of the sources found only {functions:?}");
    let without_gradient = ["argmax"];
    let missing: Vec<&String> = functions
        .iter()
        .filter(|name| !ops.contains(name.as_str()) && !without_gradient.contains(&name.as_str()))
        .collect();
    assert!(missing.is_empty(), "functions without a row in the op table: {missing:?}");
    let unknown: Vec<&&str> =
        ops.iter().filter(|&&op| op != "checkpoint" && !functions.contains(op)).collect();
    assert!(unknown.is_empty(), "rows whose names do not begin with a function's: {unknown:?}");
}

/// The files that define ops.
fn sources() -> Vec<PathBuf> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("../autograd/src");
    let ops = std::fs::read_dir(src.join("ops")).expect("autograd/src/ops is there");
    let mut paths: Vec<PathBuf> = ops.map(|entry| entry.expect("readable").path()).collect();
    paths.push(src.join("ctx.rs"));
    paths
}

/// A source file without its unit tests.
fn read(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("sources are readable");
    text.split("#[cfg(test)]").next().expect("split yields at least one piece").to_owned()
}

/// Names of ops in a source text: the string literals that come first in calls of `record`, `record_many`, or a function
/// that takes `name: &'static str` and passes it on. Any other first argument is an error, for this scan would miss it.
fn names_in(source: &str) -> Vec<String> {
    let helpers = source.split("fn ").skip(1).filter(|function| {
        let signature = function.split('{').next().expect("split yields at least one piece");
        signature.contains("name: &'static str")
    });
    let helpers: BTreeSet<&str> = helpers.map(identifier).collect();
    let mut names = Vec::new();
    for function in helpers.iter().copied().chain(["record", "record_many"]) {
        for argument in calls(source, function) {
            match argument.strip_prefix('"') {
                Some(literal) => names.push(literal.split('"').next().expect("a literal ends").to_owned()),
                None => assert!(
                    identifier(argument) == "name",
                    "{function} is called with something that is neither a literal nor `name`: {:.40}",
                    argument
                ),
            }
        }
    }
    names
}

/// What follows the opening parenthesis of every call of a function.
fn calls<'a>(source: &'a str, function: &'a str) -> impl Iterator<Item = &'a str> {
    source.match_indices(function).filter_map(move |(at, _)| {
        let starts = !source[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
            && !source[..at].ends_with("fn ");
        let arguments = source[at + function.len()..].strip_prefix('(')?;
        starts.then(|| arguments.trim_start())
    })
}

/// Names of the public functions of a source text.
fn functions_in(source: &str) -> Vec<String> {
    source.split("pub fn ").skip(1).map(|rest| identifier(rest).to_owned()).collect()
}

fn identifier(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().expect("split yields at least one piece")
}
