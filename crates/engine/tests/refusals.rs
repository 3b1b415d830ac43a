//! Every bad file of `tests/fixtures/bad` is refused with the right error, and wrong requests too.

mod common;

use common::{cases, files, fixtures, open};
use futures_lite::future::block_on;
use glassbox_engine::{Host, Model, SamplerSettings, Undisturbed, device};
use glassbox_model::{Action, Edit, Probe};

/// Which error codes a fixture's plain words may be told with. Several where a file is wrong in more
/// than one way, and the reader meets another one first.
fn codes(words: &str) -> &'static [&'static str] {
    match words {
        "8-bit weights without their scale" => &["quantisation_scale"],
        "Git LFS pointer, not weights" => &["lfs_pointer"],
        "ONNX model" => &["onnx_model"],
        "adapter without its model" => &["adapter_alone"],
        "archive, not weights" => &["zip_archive"],
        "bad metadata" => &["gguf_alignment", "gguf_invalid"],
        "big-endian GGUF file" => &["gguf_big_endian"],
        "config.json is not JSON" => &["invalid_json"],
        "empty file" => &["empty_file"],
        "header is not JSON" => &["safetensors_header"],
        "header longer than the file" => &["header_too_large"],
        "impossible configuration" => &["bad_config"],
        "misaligned tensor" => &["gguf_offset"],
        "missing file" => &["missing_shard", "no_weights", "missing_config"],
        "missing metadata" => &["bad_config"],
        "missing tensor" => &["tensor_missing", "gguf_offset", "bad_config"],
        "not a GGUF file" => &["gguf_invalid"],
        "overlapping tensors" => &["tensor_overlap", "gguf_offset"],
        "parts of different models" => &["gguf_split"],
        "pickled weights" => &["pickle"],
        "tensor outside the file" => &["gguf_offset", "tensor_hole"],
        "tensor size and shape disagree" => &["size_mismatch", "shape_overflow", "safetensors_header"],
        "tensor size overflows" => &["shape_overflow"],
        "truncated file" => &["truncated_file", "gguf_limit"],
        "unknown GGUF version" => &["gguf_version"],
        "unknown architecture" => &["unknown_architecture"],
        "unknown tensor type" => &["unsupported_dtype"],
        "unsafe file name" => &["index_path"],
        "web page, not weights" => &["html_page"],
        "weights packed for other software" => &["unsupported_quantisation"],
        "wrong tensor shape" => &["wrong_shape"],
        other => panic!("no codes are known for \"{other}\""),
    }
}

#[test]
fn bad_files_are_refused_with_cause_and_way_out() {
    let device = device::cpu();
    let mut count = 0;
    let mut report = String::new();
    for entry in std::fs::read_dir(fixtures().join("bad")).unwrap() {
        let folder = entry.unwrap().path();
        let text = std::fs::read_to_string(folder.join("case.toml")).unwrap();
        let case: toml::Value = toml::from_str(&text).unwrap();
        let what = case["open"].as_str().unwrap();
        let path = if what == "." { folder.clone() } else { folder.join(what) };
        let words = case["error"].as_str().unwrap();
        match block_on(Model::open(files(&path), &device, &Undisturbed)) {
            Ok(_) => report.push_str(&format!("{}: opened, expected: {words}\n", folder.display())),
            Err(error) => {
                assert!(!error.hint().is_empty(), "{}: {error} has no hint", folder.display());
                if !codes(words).contains(&error.code()) {
                    let name = folder.display();
                    report.push_str(&format!("{name}: {} ({error}), expected: {words}\n", error.code()));
                }
            }
        }
        count += 1;
    }
    assert!(count >= 40, "only {count} bad files");
    assert!(report.is_empty(), "{report}");
}

#[test]
fn wrong_requests_are_named() {
    let (folder, _) = cases().into_iter().find(|(_, case)| case.name == "llama-gqa").unwrap();
    let model = open(&folder, &device::cpu());
    let probe = Probe::default();
    let trace = |tokens: &[u32], edits: &[Edit]| {
        block_on(model.trace(tokens, &probe, edits, &Undisturbed)).map(|_| ()).map_err(|e| e.code())
    };
    assert_eq!(trace(&[], &[]), Err("no_tokens"));
    assert_eq!(trace(&[100_000], &[]), Err("token_out_of_range"));
    assert_eq!(trace(&vec![1; model.spec().context + 1], &[]), Err("context_full"));
    assert_eq!(trace(&[1], &[Edit::ablate_head(0, 99)]), Err("bad_edit"));
    assert_eq!(trace(&[1], &[Edit::ablate_head(99, 0)]), Err("absent_site"));
    for (shape, values) in
        [(vec![2, 3], vec![0.0; 6]), (vec![1, 32], vec![0.0; 5]), (vec![1, 32], vec![f32::NAN; 32])]
    {
        let site = "blocks.0.hook_resid_mid".parse().unwrap();
        let action = Action::Replace { shape, values };
        assert_eq!(
            trace(&[1], &[Edit { site, head: None, positions: None, keys: None, action }]),
            Err("bad_edit")
        );
    }
    assert!(Probe::parse(&["blocks.0.hook_nonsense"], model.spec()).is_err());
    let settings = SamplerSettings { temperature: -1.0, ..Default::default() };
    let refused = block_on(model.generate(&[1], 1, settings, &[], &Undisturbed));
    assert_eq!(refused.err().map(|error| error.code()), Some("bad_sampler"));
}

#[test]
fn stopping_ends_a_generation_with_what_it_has() {
    struct StopAfter(std::cell::Cell<usize>);
    impl Host for StopAfter {
        fn stopped(&self) -> bool {
            let left = self.0.get();
            self.0.set(left.saturating_sub(1));
            left == 0
        }
    }
    let (folder, case) = cases().into_iter().find(|(_, case)| case.name == "gpt2").unwrap();
    let model = open(&folder, &device::cpu());
    let host = StopAfter(std::cell::Cell::new(4));
    block_on(async {
        let settings = SamplerSettings::greedy();
        let mut generation = model.generate(&case.prompt.ids, 20, settings, &[], &Undisturbed).await.unwrap();
        while generation.step(&host).await.unwrap().is_some() {}
        assert_eq!(generation.finish(), Some(glassbox_engine::Finish::Stopped));
        assert_eq!(generation.new_tokens(), &case.greedy.ids[..4]);
    });
}
