//! What a run shows: lens, attribution, heads, neurons, the sampler's bench, comparison, patching.
//!
//! Everything is computed by the one decoder from a [`Run`], the residual stream of a prompt with its edits.
//! [`Runs`] keeps the last ones. Information is in bits, probabilities are of the full vocabulary.

mod attribution;
mod bench;
mod compare;
mod detail;
mod export;
mod fingerprint;
mod heads;
mod intervention;
mod lens;
mod run;
mod standing;
mod survey;
mod sweep;

pub use attribution::{Attribution, Part, PartName, Promotion, TokenEffect};
pub use bench::{Bench, BenchRow, BenchRows, BenchStage, bench};
pub use compare::{Comparison, Continuation, Expectation};
pub use detail::{HeadDetail, Neuron};
pub use export::{metadata, safetensors};
pub use fingerprint::{FINGERPRINT_METHOD, fingerprint};
pub use heads::{HeadRole, HeadScores, HeadTally, HeadsReport, head_scores};
pub use intervention::Intervention;
pub use lens::{LensRow, lens_sites};
pub use run::{Run, Runs};
pub use standing::{FEW, Row, Standing, largest};
pub use survey::{HeadSurvey, RepeatedTokens};
pub use sweep::{Sweep, SweepPlan};
