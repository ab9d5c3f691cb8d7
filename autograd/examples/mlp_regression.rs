//! A whole training loop: a small network learns sin(x) from noisy samples.
//!
//! `cargo run -p autograd --example mlp_regression`

use autograd::nn::Linear;
use autograd::ops::Reduction;
use autograd::optim::{Optimizer, Schedule};
use autograd::random::{Key, site};
use autograd::{Ctx, Params, Real, Scope, Tensor, Var};

/// 1 → 32 → 32 → 1 with tanh between.
struct Network {
    layers: [Linear; 3],
}

impl Network {
    fn new<T: Real>(scope: &mut Scope<T>) -> Network {
        let sizes = [1, 32, 32, 1];
        let layer =
            |i: usize| Linear::new(&mut scope.sub(format!("layers.{i}")), sizes[i], sizes[i + 1], true);
        Network { layers: [0, 1, 2].map(layer) }
    }

    fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>) -> Var<T> {
        let [first, second, last] = &self.layers;
        let h = first.forward(ctx, x).tanh(); // [B, 32]
        let h = second.forward(ctx, &h).tanh(); // [B, 32]
        last.forward(ctx, &h) // [B, 1]
    }
}

/// 64 positions in [−π, π] and the noisy sine there.
fn batch(key: Key) -> (Tensor, Tensor) {
    let x = Tensor::<f32>::from_fn(&[64, 1], |i| (i as f32 / 63.0 * 2.0 - 1.0) * std::f32::consts::PI);
    let sine = Tensor::from_fn(&[64, 1], |i| x.as_slice()[i].sin());
    let noise = Tensor::randn(&[64, 1], key, site("noise"));
    (x, sine.add(&noise.scale(0.1)))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let steps = 500;
    let (mut params, network) = Params::build(1, Network::new);
    let mut optimizer = Optimizer::adamw([0.9, 0.999], 1e-8, 1e-4);
    let schedule = Schedule::Cosine { total: steps as f64, floor: 0.01 }.with_warm_up(20.0, 0.1);
    println!("{} parameters", params.num_learned());

    for step in 0..steps {
        let key = Key { seed: 1, epoch: 0, step };
        let (x, target) = batch(key);
        let ctx = Ctx::train(&params, key);
        let y = network.forward(&ctx, &Var::constant(x));
        let loss = y.mse_loss(&Var::constant(target), Reduction::Mean);
        let mut grads = loss.backward();
        grads.clip_norm(1.0)?;
        drop(ctx); // it shares the weights: while it lives, the step copies each one
        optimizer.step(&mut params, &grads, 1e-2 * schedule.factor(step as f64));
        if step % 100 == 0 || step == steps - 1 {
            println!("step {step:3}  loss {:.4}", loss.value().item()?);
        }
    }

    let ctx = Ctx::eval(&params);
    println!("     x   network    sin x");
    for x in [-3.0f32, -1.5, 0.0, 1.0, 2.5] {
        let y = network.forward(&ctx, &Var::constant(Tensor::from_vec(vec![x], &[1, 1])));
        println!("{x:6.2}  {:8.4} {:8.4}", y.value().item()?, x.sin());
    }
    Ok(())
}
