use std::time::Instant;
use burn::tensor::Device;
use curec::data::*;
use curec::data::world;
use curec::llm::*;
use curec::tasks::*;
use curec::text::*;
use curec_shared_model::qwen2::{Qwen2, Qwen2Config};
use rand::{SeedableRng, Rng};
use rand_chacha::ChaCha8Rng;
fn main() {
    let arg: Vec<f64> = std::env::args().skip(1).map(|a| a.parse().unwrap()).collect();
    let (vocab, w, l, f, b, lr, pw, secs) = (arg[0] as usize, arg[1] as usize, arg[2] as usize, arg[3] as usize, arg[4] as usize, arg[5], arg[6], arg[7]);
    let log = world::generate(&Default::default()).unwrap();
    let (ds, _) = prepare(&log, &SplitOptions::default()).unwrap();
    let pc = PromptConfig::default();
    let writer = RationaleWriter::new(&ds.items, pc.render.clone());
    let t0 = Instant::now();
    let tok = train_tokenizer(corpus(&ds, &writer, 10, 1), vocab).unwrap();
    println!("tokenizer {} in {:.1}s", tok.vocab_size(), t0.elapsed().as_secs_f64());
    let (train, held) = divide_users(ds.users.len(), pc.held_out_users, 1);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut mk = |users: &Vec<usize>, rng: &mut ChaCha8Rng, n: usize| -> Vec<(Question, Example, String)> { let mut v = Vec::new(); while v.len() < n {
        let u = users[rng.random_range(0..users.len())];
        let p = random_position(&ds, u, 3, rng).unwrap();
        let q = Question::draw(&ds, u, p, &pc, rng);
        let h = q.history_items(&ds); let c = q.candidate_items(&ds);
        let r = writer.alignment(&h, &c, &ds.items[q.truth], rng);
        let ex = Example { prompt: tok.prompt(&q.turns(&ds, &pc.render)).unwrap(), answer: tok.answer(&r.text).unwrap() };
        v.push((q, ex, r.text)); } v };
    let test = mk(&held, &mut rng, 200);
    println!("prompt {} answer {}\n{}\n{}", test[0].1.prompt.len(), test[0].1.answer.len(), tok.decode(&test[0].1.prompt), test[0].2);
    let al: f64 = test.iter().map(|t| t.1.answer.len() as f64).sum::<f64>() / 200.0; let pl: f64 = test.iter().map(|t| t.1.prompt.len() as f64).sum::<f64>() / 200.0;
    println!("mean prompt {pl} answer {al}");
    let d = Device::flex().autodiff();
    let config = Qwen2Config { vocab_size: tok.vocab_size(), hidden_size: w, intermediate_size: f, num_hidden_layers: l, num_attention_heads: 6, num_key_value_heads: 2, rms_norm_eps: 1e-6, rope_theta: 10000.0, tie_word_embeddings: true, max_position_embeddings: 1024 };
    println!("params {} {:?}", config.parameters(), d);
    d.seed(7);
    let mut tr = Trainer::new(Qwen2::init(&config, &d), &TrainerSettings { muon: arg[8] > 0.0, ..Default::default() });
    let sc = SupervisedConfig { prompt_weight: pw, ..Default::default() };
    let mut tokens = 0usize; let mut acc = 0.0; let mut spent = 0.0; let mut next_eval = 60.0; let mut step = 0; let mut n = 0;
    while spent < secs {
        let batch = mk(&train, &mut rng, b);
        let t0 = Instant::now();
        let rows: Vec<&Example> = batch.iter().map(|e| &e.1).collect();
        tokens += rows.iter().map(|e| e.prompt.len() + e.answer.len()).sum::<usize>();
        let prog = spent / secs;
        let rate = lr * (((step + 1) as f64) / 40.0).min(1.0) * (1.0 - 0.9 * prog);
        let (loss, _) = supervised_step(&mut tr, &rows, &sc, rate);
        spent += t0.elapsed().as_secs_f64(); acc += loss; n += 1; step += 1;
        if step % 25 == 0 { println!("step {step} t {spent:.0} tokens {tokens} loss {:.4} tok/s {:.0}", acc / n as f64, tokens as f64 / spent); acc = 0.0; n = 0; }
        if (spent > next_eval && spent > secs * 0.4) || spent >= secs { next_eval += 60.0;
            let t1 = Instant::now();
            let m = tr.policy();
            let prompts: Vec<&[u32]> = test.iter().map(|t| t.1.prompt.as_slice()).collect();
            for temp in [0.0, 1.0] {
            let out = sample(&m, &prompts, 1, &SamplingConfig { temperature: temp, stop: tok.stop_ids(), ..Default::default() }, |_| true);
            let (mut fo, mut le, mut co) = (0.0, 0.0, 0.0); let mut toks = 0;
            for (o, t) in out.iter().zip(&test) { let o = &o.as_ref().unwrap()[0]; toks += o.ids.len(); let text = tok.decode(&o.ids); let (c, tr) = t.0.titles(&ds, &pc.render);
                let r = rewards(&text, &c, &tr); fo += r.format; le += r.legal; co += r.correct; }
            println!("EVAL t {spent:.0} T{temp} format {:.3} legal {:.3} correct {:.3}  ({} tokens in {:.1}s)", fo / 200.0, le / 200.0, co / 200.0, toks, t1.elapsed().as_secs_f64());
            println!("   {}", tok.decode(&out[0].as_ref().unwrap()[0].ids));
            }
        }
    }
}
