//! Replays a recorded case in the engine: the door through which anyone can hold it against another framework.
//!
//! A case is a safetensors file with inputs, options in its metadata, and (not needed here) the other framework's
//! outputs. What is computed is written under the same names; comparing is the caller's business.

use crate::device::Place;
use anyhow::{Context, Result, bail, ensure};
use autograd::checkpoint::{HostTensor, LoadMode, TensorFile};
use autograd::optim::Optimizer;
use autograd::{Ctx, Dtype, ParamKind, Params, Real, Tape, Tensor, Var};
use cda::{
    Affinity, BlockConfig, CdaConfig, Fusion, FusionKind, MutualFormerBlock, Path, Preset, Qkv, Start,
};

/// The type a case is computed in: the asked one, or that of its tensors; on a device, `f32`.
///
/// # Errors
/// If a device is asked for `f64`.
pub fn dtype_of(case: &TensorFile, asked: Option<Dtype>, place: &Place) -> Result<Dtype> {
    if let Some(device) = place.device() {
        ensure!(
            asked != Some(Dtype::F64),
            "--dtype f64: {} computes in f32; leave --dtype out, or compute with --device cpu",
            device.name()
        );
        return Ok(Dtype::F32);
    }
    let is_f64 = |(_, tensor): &(String, HostTensor)| matches!(tensor, HostTensor::F64(_));
    Ok(asked.unwrap_or(if case.tensors.iter().any(is_f64) { Dtype::F64 } else { Dtype::F32 }))
}

/// Runs a case of either kind in type `T` on the host, on the path asked for.
///
/// # Errors
/// A case without a kind, tensors that are missing or do not fit together, options that mean nothing.
pub fn replay<T: Real>(case: &TensorFile, path: Path) -> Result<TensorFile> {
    replay_with(&Case { file: case, place: &|tensor: Tensor<T>| Ok(tensor) }, path)
}

/// As [`replay`], in `f32` wherever is asked for.
///
/// # Errors
/// As [`replay`], and a failure of the device.
pub fn replay_at(case: &TensorFile, path: Path, place: &Place) -> Result<TensorFile> {
    replay_with(&Case { file: case, place: &|tensor| Ok(place.tensor(&tensor)?) }, path)
}

/// A case, and how its tensors get to where it is computed.
struct Case<'a, T: Real> {
    file: &'a TensorFile,
    place: &'a dyn Fn(Tensor<T>) -> Result<Tensor<T>>,
}

impl<T: Real> Case<'_, T> {
    fn tensor(&self, name: &str) -> Result<Tensor<T>> {
        (self.place)(self.file.get(name).with_context(|| format!("tensor {name} is missing"))?.to())
    }

    /// The recorded parameters.
    fn import(&self, params: &mut Params<T>) -> Result<()> {
        params.import("param.", self.file, LoadMode::Strict)?;
        for id in params.ids() {
            params.set(id, (self.place)(params.get(id).clone())?);
        }
        Ok(())
    }
}

fn replay_with<T: Real>(case: &Case<T>, path: Path) -> Result<TensorFile> {
    match metadata(case.file, "kind") {
        Some("cda") => replay_cda(case, path),
        Some("mutualformer-block") => replay_block(case, path),
        Some(kind) => bail!("unknown kind of case {kind:?}; known are \"cda\" and \"mutualformer-block\""),
        None => bail!(
            "the file's metadata names no \"kind\": this is not a case (format: tests/fixtures/goldens)"
        ),
    }
}

/// Outputs o_r, o_d, u_rd, u_dr and the gradients of Σ output·cotangent with respect to the six inputs.
fn replay_cda<T: Real>(case: &Case<T>, path: Path) -> Result<TensorFile> {
    let fusion = Fusion { kind: FusionKind::Cda, cda: diffusion_of(case.file)? };
    fusion.validate()?;
    let tape = Tape::<T>::new();
    let leaf = |name: &str| -> Result<Var<T>> { Ok(tape.leaf(case.tensor(name)?)) };
    let modality = |m: &str| -> Result<Qkv<T>> {
        Ok(Qkv { q: leaf(&format!("q_{m}"))?, k: leaf(&format!("k_{m}"))?, v: leaf(&format!("v_{m}"))? })
    };
    let (r, d) = (modality("r")?, modality("d")?);
    ensure!(r.q.shape().len() == 4, "q_r has shape {:?}, not [B, H, N, d]", r.q.shape());
    let mixed = match path.resolve::<T>(&fusion, r.q.size(2), r.q.size(3), false) {
        Path::Fast => fusion.mix_matrix_free(&r, &d),
        _ => fusion.mix(&r, &d, Var::clone),
    };

    let mut out = TensorFile::default();
    let mut loss: Option<Var<T>> = None;
    for (name, y) in [("o_r", &mixed.o_r), ("o_d", &mixed.o_d), ("u_rd", &mixed.u_rd), ("u_dr", &mixed.u_dr)]
    {
        out.push(name, HostTensor::of(y.value())?);
        let cotangent = Var::constant(case.tensor(&format!("cotangent.{name}"))?);
        let term = y.mul(&cotangent).sum_all();
        loss = Some(loss.map_or_else(|| term.clone(), |loss| loss.add(&term)));
    }
    let grads = loss.expect("four outputs").backward();
    for (name, x) in
        [("q_r", &r.q), ("k_r", &r.k), ("v_r", &r.v), ("q_d", &d.q), ("k_d", &d.k), ("v_d", &d.v)]
    {
        let gradient = grads.of(x).cloned().unwrap_or_else(|| Tensor::zeros(x.shape()));
        out.push(format!("grad.{name}"), HostTensor::of(&gradient)?);
    }
    Ok(out)
}

/// y, the loss, all gradients, and ten AdamW losses of one block.
fn replay_block<T: Real>(case: &Case<T>, path: Path) -> Result<TensorFile> {
    let (x, x_rd, target) = (case.tensor("x")?, case.tensor("x_rd")?, case.tensor("target")?);
    let file = case.file;
    let config = BlockConfig {
        mlp_ratio: number(file, "mlp_ratio")?,
        qkv_bias: flag(file, "qkv_bias", false)?,
        joint_norm: flag(file, "joint_norm", true)?,
        third_branch: flag(file, "third_branch", true)?,
        fusion: Fusion { kind: FusionKind::Cda, cda: diffusion_of(file)? },
        path,
        ..BlockConfig::new(x_rd.size(-1), number(file, "num_heads")? as usize)
    };
    let (mut params, block) = Params::<T>::build(0, |scope| MutualFormerBlock::new(scope, config));
    let block = block?;
    case.import(&mut params)?;

    // loss = mean(y·target) + mean(y²)/2
    let forward = |params: &Params<T>| {
        let ctx = Ctx::eval_with_grad(params);
        let (x, x_rd) = (ctx.input(x.clone()), ctx.input(x_rd.clone()));
        let y = block.forward(&ctx, &x, &x_rd);
        let loss =
            y.mul(&Var::constant(target.clone())).mean_all().add(&y.mul(&y).mean_all().mul_scalar(0.5));
        (x, x_rd, y, loss)
    };
    let mut out = TensorFile::default();
    let (x_var, x_rd_var, y, loss) = forward(&params);
    out.push("y", HostTensor::of(y.value())?);
    out.push("loss", HostTensor::of(&loss.value().with_shape(&[1]))?);
    let grads = loss.backward();
    let or_zeros = |gradient: Option<&Tensor<T>>, shape: &[usize]| {
        HostTensor::of(&gradient.cloned().unwrap_or_else(|| Tensor::zeros(shape)))
    };
    out.push("grad.x", or_zeros(grads.of(&x_var), x.shape())?);
    out.push("grad.x_rd", or_zeros(grads.of(&x_rd_var), x_rd.shape())?);
    for id in params.ids().filter(|&id| params.kind(id) == ParamKind::Parameter) {
        let name = format!("grad.param.{}", params.name(id));
        out.push(name, or_zeros(grads.param(id), params.get(id).shape())?);
    }

    let mut optimizer = Optimizer::adamw([0.9, 0.999], 1e-8, 0.01);
    let mut losses = Vec::new();
    for _ in 0..10 {
        let (.., loss) = forward(&params);
        losses.push(loss.value().item()?);
        optimizer.step(&mut params, &loss.backward(), 1e-3);
    }
    out.push("adamw.losses", HostTensor::of(&Tensor::from_vec(losses, &[10]))?);
    Ok(out)
}

/// The diffusion's options from a case's metadata; absent ones as released.
fn diffusion_of(case: &TensorFile) -> Result<CdaConfig> {
    let word = |name: &str, default: &'static str| metadata(case, name).unwrap_or(default).to_owned();
    let choose = |name: &str, default: &'static str, options: [&str; 2]| -> Result<bool> {
        let value = word(name, default);
        let place = options.iter().position(|option| *option == value);
        Ok(place.with_context(|| format!("metadata {name} = {value:?} is neither of {options:?}"))? == 1)
    };
    let paper = choose("preset", "official", ["official", "paper"])?;
    let cross = choose("affinity", "intra", ["intra", "cross"])?;
    let from_affinity = choose("init", "identity", ["identity", "affinity"])?;
    Ok(CdaConfig {
        preset: if paper { Preset::Paper } else { Preset::Official },
        affinity: if cross { Affinity::Cross } else { Affinity::Intra },
        init: if from_affinity { Start::Affinity } else { Start::Identity },
        steps: word("steps", "1").parse().map_err(anyhow::Error::msg)?,
        alpha: number(case, "alpha")?,
        ..CdaConfig::default()
    })
}

fn metadata<'a>(case: &'a TensorFile, name: &str) -> Option<&'a str> {
    case.metadata.get(name).map(String::as_str)
}

fn number(case: &TensorFile, name: &str) -> Result<f64> {
    let text = metadata(case, name).with_context(|| format!("metadata {name} is missing"))?;
    text.parse().with_context(|| format!("metadata {name} = {text:?} is not a number"))
}

fn flag(case: &TensorFile, name: &str, default: bool) -> Result<bool> {
    metadata(case, name).map_or(Ok(default), |text| {
        text.parse().with_context(|| format!("metadata {name} = {text:?} is neither true nor false"))
    })
}
