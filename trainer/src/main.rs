//! Training throughput of the nano shape.
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::Device;
use curec_shared_model::qwen2::{Qwen2, Qwen2Config, TokenBatch};
use std::time::Instant;
fn main() {
    let d = Device::flex().autodiff();
    let arg: Vec<usize> = std::env::args()
        .skip(1)
        .map(|a| a.parse().unwrap())
        .collect();
    let (v, w, l, f, b, t) = (arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
    let config = Qwen2Config {
        vocab_size: v,
        hidden_size: w,
        intermediate_size: f,
        num_hidden_layers: l,
        num_attention_heads: 6,
        num_key_value_heads: 2,
        rms_norm_eps: 1e-6,
        rope_theta: 10000.0,
        tie_word_embeddings: true,
        max_position_embeddings: 1024,
    };
    println!("params {}", config.parameters());
    let mut model = Qwen2::init(&config, &d);
    let mut optim = AdamWConfig::new().init();
    let ids: Vec<Vec<u32>> = (0..b)
        .map(|r| (0..t).map(|i| ((r * 31 + i * 17) % v) as u32).collect())
        .collect();
    let rows: Vec<&[u32]> = ids.iter().map(|r| r.as_slice()).collect();
    for step in 0..6 {
        let t0 = Instant::now();
        let batch = TokenBatch::right_padded(&rows, t);
        let h = model.hidden(&batch, true);
        let n = b * t;
        let targets: Vec<u32> = ids.iter().flatten().copied().collect();
        let lp = model.log_probs(h.reshape([n, w]), &targets, 1.0);
        let loss = lp.neg().mean();
        let lv = loss.clone().into_scalar::<f32>();
        let t1 = Instant::now();
        let grads = loss.backward();
        let t2 = Instant::now();
        let grads = GradientsParams::from_grads(grads, &model);
        model = optim.step(1e-3, model, grads);
        let t3 = Instant::now();
        println!(
            "step {step} loss {lv:.4} fwd {:.3} bwd {:.3} opt {:.3} tok/s {:.0}",
            (t1 - t0).as_secs_f64(),
            (t2 - t1).as_secs_f64(),
            (t3 - t2).as_secs_f64(),
            n as f64 / (t3 - t0).as_secs_f64()
        );
    }
}
