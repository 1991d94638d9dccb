//! What is to be known of a pruned network: where it comes from, what was done, how well it does, and how to get it again. As
//! JSON and as Markdown.
//!
//! A card is made from what is stored, so that a network has the same card whoever asks for it.

mod build;
mod input;
mod markdown;
mod repeat;
mod types;

pub use input::{CardInput, CardSearch};
pub use repeat::shell_word;
pub use types::{
    CARD_VERSION, CardCosts, CardData, CardFile, CardNetwork, CardRepeat, CardScore, CardSource, CardStrategy,
    CardTuning, CardWeights, ModelCard,
};

#[cfg(test)]
mod tests;
