//! Recorded passes: every model of `tests/fixtures` decoded by replays on a GPU, against one pass on the CPU, which
//! `goldens.rs` holds against HF transformers.

mod common;

use common::{backends, cases, difference, open};
use futures_lite::future::block_on;
use glassbox_engine::{Model, SamplerSettings, Undisturbed};
use glassbox_model::{KvCache, Observation, Positions, Probe};

/// More than the 64 positions that a cache first has room for, so that it outgrows what was recorded.
const MOST: usize = 90;

/// What decoding one token after the other gave.
struct Decoded {
    /// Logits `[position, vocab]`.
    rows: Vec<f32>,
    recorded: usize,
    replayed: usize,
}

/// Decodes by recordings wherever one can be made, from the third token on.
async fn decode(model: &Model, tokens: &[u32]) -> Decoded {
    let (decoder, probe) = (&model.decoder, Probe::default());
    let mut cache = KvCache::new(model.spec(), 1, decoder.device());
    let mut decoded = Decoded { rows: Vec::new(), recorded: 0, replayed: 0 };
    let mut recording = None;
    for (position, token) in tokens.iter().enumerate() {
        let replayed = match &recording {
            Some(recording) => decoder.replay_step(recording, *token, &mut cache).unwrap(),
            None => None,
        };
        let logits = match replayed {
            Some(logits) => {
                decoded.replayed += 1;
                logits
            }
            None => {
                let mut observation = Observation::new(&probe, &[], position);
                decoder.forward(&[*token], &mut cache, &mut observation).unwrap()
            }
        };
        decoded.rows.extend(logits.into_data_async().await.unwrap().try_into_vec::<f32>().unwrap());
        let full = cache.len() == cache.capacity();
        if position == 1 || (position > 1 && full) {
            recording = decoder.record_step(&mut cache);
            decoded.recorded += usize::from(recording.is_some());
        }
    }
    decoded
}

#[test]
fn replayed_tokens_equal_one_pass() {
    let [cpu, gpu] = backends();
    for (folder, case) in cases() {
        let model = open(&folder, &gpu);
        let spec = model.spec();
        let count = spec.context.min(MOST);
        if spec.turns_anew(1, count) {
            continue; // Positions so far turn by other angles: such a cache is thrown away.
        }
        let tokens: Vec<u32> = (0..count).map(|i| (i * 37 + 11) as u32 % spec.vocab as u32).collect();
        let reference = open(&folder, &cpu);
        let probe = Probe::parse(&["logits".to_owned()], spec).unwrap();
        let whole = block_on(reference.trace(&tokens, &probe, &[], &Undisturbed)).unwrap();
        let decoded = block_on(decode(&model, &tokens));

        let away = difference(&decoded.rows, &whole.tensor("logits").unwrap().data);
        assert!(away <= 1e-3, "{}: {away} from one pass", case.name);
        let by_hand = spec.convolution.is_some() || matches!(spec.positions, Positions::Alibi(_));
        let grown = usize::from(count > 64);
        let wanted = if by_hand { (0, 0) } else { (1 + grown, count - 2) };
        assert_eq!((decoded.recorded, decoded.replayed), wanted, "{}: recordings and replays", case.name);
    }
}

#[test]
fn generation_replays_and_draws_what_the_cpu_draws() {
    let [cpu, gpu] = backends();
    let (folder, case) = cases().into_iter().find(|(_, case)| case.name == "llama-gqa").unwrap();
    let run = |device| {
        let model = open(&folder, device);
        block_on(async {
            let prompt = &case.prompt.ids_with_special;
            let settings = SamplerSettings::greedy();
            let mut generation = model.generate(prompt, 20, settings, &[], &Undisturbed).await.unwrap();
            while generation.step(&Undisturbed).await.unwrap().is_some() {}
            (generation.new_tokens().to_vec(), generation.timing)
        })
    };
    let ((wanted, on_cpu), (found, on_gpu)) = (run(&cpu), run(&gpu));
    assert_eq!(found, wanted);
    // The first token comes from the prompt, two more before it is recorded.
    assert_eq!((on_gpu.decoded_tokens, on_gpu.replayed_tokens), (19, 17));
    assert_eq!((on_cpu.decoded_tokens, on_cpu.replayed_tokens), (19, 0));
}
