//! Bits per byte on stories that the training has not seen.

use glassbox_model::Decoder;

use crate::TrainError;

/// `-log2 p` of all tokens of the stories, each behind the separator, by bytes of the stories: the same figure as
/// [`glassbox_engine::Model::evaluate`], on weights that are not in a file yet.
///
/// # Errors
/// Where the decoder cannot run the tokens.
pub async fn bits_per_byte(
    decoder: &Decoder,
    stories: &[Vec<u32>],
    texts: &[String],
    separator: u32,
) -> Result<f64, TrainError> {
    let (mut nats, mut bytes) = (0.0, 0);
    for (story, text) in stories.iter().zip(texts) {
        let tokens: Vec<u32> = std::iter::once(separator).chain(story.iter().copied()).collect();
        let surprisals = glassbox_engine::surprisals(decoder, &tokens).await?;
        nats += surprisals.iter().map(|nats| f64::from(*nats)).sum::<f64>();
        bytes += text.len();
    }
    Ok(nats / std::f64::consts::LN_2 / bytes as f64)
}
