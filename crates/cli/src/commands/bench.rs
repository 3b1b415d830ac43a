//! `glassbox bench`: load, prefill and decode figures as JSON.

use std::time::Instant;

use glassbox_engine::{Model, SamplerSettings, Undisturbed};
use serde_json::json;

use crate::{args::Bench, error::CliError, files};

pub async fn run(args: Bench) -> Result<(), CliError> {
    let device = files::device(args.backend).await?;
    let device = if args.plain { device.plain() } else { device };
    let start = Instant::now();
    let model = Model::open(files::open(&args.model)?, &device, &Undisturbed).await?;
    let load_ms = milliseconds(start);

    let vocab = model.spec().vocab as u32;
    // Ids that differ, so that no run is served from a lucky cache line.
    let prompt: Vec<u32> = (0..args.prompt_tokens as u32).map(|i| (i * 7 + 1) % vocab).collect();
    let mut prefill = Vec::new();
    let mut decode = Vec::new();
    let mut replayed = 0;
    // The first run compiles shaders and warms caches; it is not counted.
    for run in 0..=args.repeat {
        let mut generation = model
            .generate(&prompt, args.new_tokens + 1, SamplerSettings::greedy(), &[], &Undisturbed)
            .await?;
        while generation.step(&Undisturbed).await?.is_some() {}
        let timing = generation.timing;
        if run > 0 {
            prefill.push(timing.prefill_ms);
            replayed = timing.replayed_tokens;
            if timing.decoded_tokens > 0 {
                decode.push(timing.decode_ms / timing.decoded_tokens as f64);
            }
        }
    }
    let (prefill, decode) = (median(prefill), median(decode));
    let report = json!({
        "model": model.summary.name,
        "parameters": model.summary.parameters,
        "weight_bytes": model.decoder.weight_bytes(),
        "device": device.name,
        "gpu": device.gpu,
        "software": device.software,
        "plain": args.plain,
        "runs": args.repeat,
        "load_ms": load_ms,
        "prompt_tokens": args.prompt_tokens,
        "prefill_ms": prefill,
        "prefill_tokens_per_s": prefill.map(|ms| args.prompt_tokens as f64 * 1e3 / ms),
        "new_tokens": args.new_tokens,
        "replayed_tokens": replayed,
        "decode_ms_per_token": decode,
        "decode_tokens_per_s": decode.map(|ms| 1e3 / ms),
    });
    println!("{report:#}");
    Ok(())
}

fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len().checked_sub(1)? / 2;
    Some((values[middle] + values[values.len() / 2]) / 2.0)
}
