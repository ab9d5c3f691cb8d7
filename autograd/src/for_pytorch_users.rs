//! For readers who know PyTorch: names, differences in meaning, and a training loop. Documentation only.
//!
//! # Names
//!
//! Ops are methods of [`Var`](crate::Var) under PyTorch's names (`x.softmax(-1)`, `x.layer_norm(..)`), and each says
//! "PyTorch equivalent" in its documentation. Where the names differ:
//!
//! | PyTorch | here |
//! |---|---|
//! | `torch.Tensor` without gradient / with gradient | [`Tensor`](crate::Tensor) / [`Var`](crate::Var) |
//! | `torch.int64` / `torch.bool` tensors | [`Indices`](crate::Indices) / [`Mask`](crate::Mask), which have no gradients |
//! | `x.requires_grad_()` | [`Tape::leaf`](crate::Tape::leaf); in a pass of a model [`Ctx::input`](crate::Ctx::input) |
//! | `loss.backward()` and `p.grad` | [`Var::backward`](crate::Var::backward) returns [`Grads`](crate::Grads) |
//! | `zero_grad()` | nothing: gradients are a value |
//! | a second `backward()` before `step()` | [`Grads::accumulate`](crate::Grads::accumulate) |
//! | `clip_grad_norm_(parameters, max)` | [`Grads::clip_norm`](crate::Grads::clip_norm) |
//! | `p.requires_grad_(False)` | [`Grads::discard`](crate::Grads::discard) |
//! | `x.detach()` | [`Var::detach`](crate::Var::detach) |
//! | `nn.Module` | a plain struct of layers and [`ParamId`](crate::ParamId)s; see [`nn`](crate::nn) |
//! | `model.parameters()`, `state_dict()` | [`Params`](crate::Params), under the same names |
//! | `register_buffer` | [`Scope::buffer`](crate::Scope::buffer) |
//! | `model.train()`, `model.eval()`, `no_grad()` | [`Ctx::train`](crate::Ctx::train), [`Ctx::eval`](crate::Ctx::eval), [`Ctx::eval_with_grad`](crate::Ctx::eval_with_grad) |
//! | `load_state_dict(d, strict=True)` | [`Params::load`](crate::Params::load) with [`LoadMode::Strict`](crate::checkpoint::LoadMode::Strict) |
//! | `torch.save`, `torch.load` | [`TensorFile`](crate::TensorFile): writes safetensors, reads both |
//! | `torch.optim.AdamW`, parameter groups | [`Optimizer`](crate::Optimizer), [`Group`](crate::Group) |
//! | `lr_scheduler` | [`Schedule`](crate::Schedule): a function of the step, without a state |
//! | `AveragedModel` | [`Ema`](crate::Ema) |
//! | `torch.utils.checkpoint.checkpoint` | [`Ctx::checkpoint`](crate::Ctx::checkpoint) |
//! | `torch.autograd.Function` | [`record`](crate::record) |
//! | `torch.autograd.gradcheck` | [`gradcheck()`](crate::gradcheck()) |
//! | `torch.manual_seed` | [`random::Key`](crate::random::Key), given to a pass |
//! | `x.to(device)`, `model.to(device)` | [`Tensor::to_device`](crate::Tensor::to_device), [`Params::to_device`](crate::Params::to_device) |
//! | `x.cpu()`, `x.item()` | [`Tensor::to_host`](crate::Tensor::to_host), [`Tensor::item`](crate::Tensor::item) |
//! | `x @ y`, `x @ y.mT` | `x.matmul(&y)`, `x.matmul_t(&y)` |
//! | `x + y`, `2 * x` | `&x + &y`, `x.mul_scalar(2.0)` |
//! | `x.sum()`, `x.sum(dim=(1, 2))` | `x.sum_all()`, `x.sum(&[1, 2], false)` |
//! | `x.narrow(1, 2, 3)` or `x[:, 2:5]` | `x.slice(1, 2..5)` |
//! | `torch.cat` | [`ops::concat`](crate::ops::concat) |
//! | `F.interpolate(x, size, mode="bilinear")` | `x.resize(size)`; other modes: `x.interpolate(size, mode)` |
//! | `F.binary_cross_entropy_with_logits` | `x.bce_with_logits(..)` |
//!
//! # Differences in meaning
//!
//! - **A tape serves once.** [`Var::backward`](crate::Var::backward) uses it up and frees what it kept on the way. There is no
//!   `retain_graph`, and no gradient of a gradient.
//! - **Gradients belong to leaves.** Of an intermediate value there is none afterwards (`retain_grad` has no
//!   counterpart): ask for it by making the value a leaf.
//! - **Tensors are contiguous.** `permute`, `transpose`, `slice` and `expand` copy; nothing is a view that shares memory, so no
//!   op changes what another variable sees, and there are no ops in place.
//! - **Types do not mix.** One type parameter, `f32` or `f64`, for a whole computation;
//!   [`Params::cast`](crate::Params::cast) turns a model of one into the other.
//! - **Reductions name their axes.** An empty list reduces nothing, where PyTorch reads it as "all"; `sum_all` is all.
//! - **Randomness is a value.** A dropout mask depends on the [`Key`](crate::random::Key) of the pass and on the layer's
//!   place in it, and on nothing that ran before. The same key gives the same mask on every device.
//! - **Running statistics wait.** Batch norm notes its new averages in the [`Ctx`](crate::Ctx), and the training loop
//!   stores them: `params.apply(ctx.finish())`. Forgetting that line leaves them as they were.
//! - **The learning rate is an argument** of [`Optimizer::step`](crate::Optimizer::step), so a schedule has nothing to keep.
//! - **At a kink** the gradient is PyTorch's choice: 0 for `abs` and `relu` at 0 and for `clamp` on its limits, equal shares
//!   for `amax`.
//! - **Mistakes in shapes panic** at your line, with the shapes in words. Files, devices and what users type return `Result`.
//! - **A failure of a device is remembered** and returned by the next read to the host; see [`device`](crate::device).
//!
//! # A training loop
//!
//! The same loop twice. In PyTorch:
//!
//! ```python
//! model = Net()
//! optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
//! for step in range(200):
//!     for group in optimizer.param_groups:
//!         group["lr"] = 0.01 * schedule(step)
//!     optimizer.zero_grad()
//!     loss = F.mse_loss(model(x), y)
//!     loss.backward()
//!     clip_grad_norm_(model.parameters(), 1.0)
//!     optimizer.step()
//! model.eval()
//! with torch.no_grad():
//!     prediction = model(x)
//! save_file(model.state_dict(), "net.safetensors")
//! ```
//!
//! and here:
//!
//! ```
//! use autograd::checkpoint::LoadMode;
//! use autograd::nn::{BatchNorm1d, Linear};
//! use autograd::ops::Reduction;
//! use autograd::random::Key;
//! use autograd::{Ctx, Optimizer, Params, Schedule, Scope, Tensor, Var};
//!
//! struct Net {
//!     hidden: Linear,
//!     bn: BatchNorm1d,
//!     out: Linear,
//! }
//!
//! impl Net {
//!     fn new(scope: &mut Scope) -> Net {
//!         Net {
//!             hidden: Linear::new(&mut scope.sub("hidden"), 2, 16, true),
//!             bn: BatchNorm1d::new(&mut scope.sub("bn"), 16),
//!             out: Linear::new(&mut scope.sub("out"), 16, 1, true),
//!         }
//!     }
//!
//!     fn forward(&self, ctx: &Ctx, x: &Var) -> Var {
//!         let h = self.bn.forward(ctx, &self.hidden.forward(ctx, x)).relu(); // [B, 16]
//!         self.out.forward(ctx, &h) // [B, 1]
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let x = Tensor::randn(&[64, 2], Key::default(), 0); // [B, 2]
//! let y = Tensor::from_fn(&[64, 1], |i| x.as_slice()[2 * i] * x.as_slice()[2 * i + 1]); // [B, 1]
//!
//! let (mut params, net) = Params::build(1, Net::new);
//! let mut optimizer = Optimizer::adamw([0.9, 0.999], 1e-8, 0.01);
//! let schedule = Schedule::Cosine { total: 200.0, floor: 0.01 };
//! let mut losses = Vec::new();
//! for step in 0..200 {
//!     let ctx = Ctx::train(&params, Key { seed: 1, epoch: 0, step });
//!     let loss = net.forward(&ctx, &ctx.constant(&x)).mse_loss(&ctx.constant(&y), Reduction::Mean);
//!     let mut grads = loss.backward();
//!     grads.clip_norm(1.0)?;
//!     params.apply(ctx.finish()); // running statistics; it also ends the pass, which shares the weights
//!     optimizer.step(&mut params, &grads, 0.01 * schedule.factor(step as f64));
//!     losses.push(loss.value().item()?);
//! }
//! assert!(losses[199] < losses[0] / 5.0, "{losses:?}");
//!
//! let ctx = Ctx::eval(&params);
//! let prediction = net.forward(&ctx, &ctx.constant(&x)); // [B, 1]; nothing was recorded
//! assert!(!prediction.requires_grad());
//!
//! // What PyTorch's `load_file` reads, under the names its own module would have.
//! let path = std::env::temp_dir().join(format!("net-{}.safetensors", std::process::id()));
//! params.save(&path, Default::default())?;
//! let (mut again, _) = Params::<f32>::build(2, Net::new);
//! again.load(&path, LoadMode::Strict)?;
//! let weight = again.find("hidden.weight").expect("nn.Linear has one");
//! assert_eq!(again.get(weight).as_slice(), params.get(weight).as_slice());
//! assert!(again.find("bn.num_batches_tracked").is_some());
//! # std::fs::remove_file(path)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Gradients without a model
//!
//! ```
//! use autograd::{Tape, Tensor};
//!
//! let tape = Tape::<f64>::new();
//! let x = tape.leaf(Tensor::from_vec(vec![1.0, 2.0], &[2])); // x.requires_grad_()
//! let y = x.mul(&x).sum_all(); // x is used twice: both contributions add up
//! let grads = y.backward();
//! assert_eq!(grads.of(&x).expect("y depends on x").as_slice(), [2.0, 4.0]); // x.grad
//! ```
