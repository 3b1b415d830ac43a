//! Bits per byte on stories that the training has not seen.

use glassbox_model::Decoder;

use crate::TrainError;

/// `-log2 p` of all tokens of the stories and of the separator that ends each, by bytes of the stories.
pub async fn bits_per_byte(
    decoder: &Decoder,
    stories: &[Vec<u32>],
    texts: &[String],
    separator: u32,
) -> Result<f64, TrainError> {
    let (mut nats, mut bytes) = (0.0, 0);
    for (story, text) in stories.iter().zip(texts) {
        let mut tokens = vec![separator];
        tokens.extend_from_slice(story);
        tokens.push(separator);
        let surprisals = glassbox_engine::surprisals(decoder, &tokens).await?;
        nats += surprisals.iter().map(|nats| f64::from(*nats)).sum::<f64>();
        bytes += text.len();
    }
    Ok(nats / std::f64::consts::LN_2 / bytes as f64)
}
