//! The tokenizer: byte-level BPE (Sennrich et al., 2016; Radford et al., 2019), trained on the training
//! stories alone.

use std::collections::HashSet;

use tokenizers::{
    AddedToken, DecoderWrapper, ModelWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper,
    Tokenizer, TokenizerImpl,
    models::{
        TrainerWrapper,
        bpe::{BPE, BpeTrainer},
    },
    pre_tokenizers::byte_level::ByteLevel,
    processors::template::TemplateProcessing,
};

use crate::{TrainError, corpus::SEPARATOR};

fn problem(error: impl std::fmt::Display) -> TrainError {
    TrainError::Tokenizer(error.to_string())
}

/// Trains a tokenizer of `vocab_size` tokens: `<|endoftext|>`, all 256 bytes, and the most frequent
/// merges. It splits as GPT-2's does, and puts `<|endoftext|>` before every text.
///
/// # Errors
/// [`TrainError::Tokenizer`] where the text has too few different words for that many tokens.
pub fn train(stories: &[String], vocab_size: usize) -> Result<Tokenizer, TrainError> {
    let mut tokenizer: TokenizerImpl<
        ModelWrapper,
        NormalizerWrapper,
        PreTokenizerWrapper,
        PostProcessorWrapper,
        DecoderWrapper,
    > = TokenizerImpl::new(ModelWrapper::BPE(BPE::default()));
    let bytes = ByteLevel::new(false, true, true);
    tokenizer.with_pre_tokenizer(Some(PreTokenizerWrapper::ByteLevel(bytes)));
    tokenizer.with_decoder(Some(DecoderWrapper::ByteLevel(bytes)));
    // Sorted into the vocabulary by character, so that ids do not depend on the set's order.
    let alphabet: HashSet<char> = ByteLevel::alphabet().into_iter().collect();
    let trainer = BpeTrainer::builder()
        .vocab_size(vocab_size)
        .min_frequency(2)
        .initial_alphabet(alphabet.into_iter().collect())
        .special_tokens(vec![AddedToken::from(SEPARATOR, true)])
        .show_progress(false)
        .build();
    tokenizer.train(&mut TrainerWrapper::from(trainer), stories.iter()).map_err(problem)?;
    let separator = tokenizer.token_to_id(SEPARATOR).ok_or_else(|| problem("no separator"))?;
    let template = TemplateProcessing::builder()
        .try_single(format!("{SEPARATOR} $A"))
        .map_err(problem)?
        .special_tokens(vec![(SEPARATOR, separator)])
        .build()
        .map_err(problem)?;
    tokenizer.with_post_processor(Some(PostProcessorWrapper::Template(template)));
    let found = tokenizer.get_vocab_size(true);
    if found != vocab_size {
        return Err(problem(format!("the text gives {found} tokens, the recipe asks for {vocab_size}")));
    }
    Ok(tokenizer.into())
}

/// The ids of a story, without the separator.
///
/// # Errors
/// [`TrainError::Tokenizer`] where the tokenizer refuses the text.
pub fn encode(tokenizer: &Tokenizer, story: &str) -> Result<Vec<u32>, TrainError> {
    Ok(tokenizer.encode(story, false).map_err(problem)?.get_ids().to_vec())
}
