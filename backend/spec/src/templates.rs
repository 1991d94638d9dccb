//! The settings of the paper's experiments on ImageNet, for one's own search, and what was published of them.
//!
//! Ranges, fine-tuning and results are those of the code that the authors of *EagleEye* (ECCV 2020, arXiv 2007.02491) published: its
//! `scripts` and its README.

use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::adaptation::Adaptation;
use crate::tune::{Optimizer, TuneOptions};

/// An experiment of the paper.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Template {
    pub name: &'static str,
    /// As published.
    pub network: &'static str,
    /// The fraction of the multiply-adds that stays.
    pub macs: f64,
    /// The least part of a channel group that a draw keeps: 1 minus the published largest pruning rate.
    pub min_keep_ratio: f64,
    pub batch_size: u32,
    pub weight_decay: f64,
    pub published: Published,
}

/// What was published of the fine-tuned network, on ImageNet's validation images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Published {
    /// Multiply-adds of one image of 224x224 pixels.
    pub macs: f64,
    #[schema(minimum = 0, maximum = 1)]
    pub top1: f64,
    #[schema(minimum = 0, maximum = 1)]
    pub top5: f64,
}

/// Epochs and learning rate of the published fine-tunings, all the same.
const EPOCHS: u32 = 120;
const LEARNING_RATE: f64 = 0.01;
/// Images of 100 batches of 128, from which the published code adapts.
const CALIBRATION: u32 = 12_800;

const fn resnet50(name: &'static str, macs: f64, min_keep_ratio: f64, published: Published) -> Template {
    Template { name, network: "ResNet-50", macs, min_keep_ratio, batch_size: 128, weight_decay: 1e-4, published }
}

/// All templates.
pub const TEMPLATES: [Template; 4] = [
    Template {
        name: "mobilenet_v1_50",
        network: "MobileNetV1",
        macs: 0.5,
        min_keep_ratio: 0.3,
        batch_size: 512,
        weight_decay: 5e-4,
        published: Published { macs: 284e6, top1: 0.709, top5: 0.8962 },
    },
    resnet50("resnet50_75", 0.75, 0.6, Published { macs: 3e9, top1: 0.771, top5: 0.9337 }),
    resnet50("resnet50_50", 0.5, 0.3, Published { macs: 2e9, top1: 0.764, top5: 0.9289 }),
    resnet50("resnet50_25", 0.25, 0.2, Published { macs: 1e9, top1: 0.742, top5: 0.9177 }),
];

impl Template {
    /// The template of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TEMPLATES.iter().find(|template| template.name == name)
    }

    /// The fields of a search's request that it sets: the published search, with any number of channels.
    pub fn search(&self) -> Map<String, Value> {
        let fields = [
            ("template", json!(self.name)),
            ("strategies", json!(["reference"])),
            ("macs", json!(self.macs)),
            ("min_keep_ratio", json!(self.min_keep_ratio)),
            ("round_to", json!(1)),
            ("racing", json!(false)),
            ("calibration_images", json!(CALIBRATION)),
            ("adaptation", json!(Adaptation::paper())),
        ];
        fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
    }

    /// What was published, in a sentence that cannot be taken for a figure of one's own.
    pub fn published_text(&self) -> String {
        let Published { macs, top1, top5 } = self.published;
        format!(
            "Published for {} on ImageNet's validation images, with {} million MACs and the settings of `{}`: {:.2}% top-1, {:.2}% top-5.",
            self.network,
            (macs / 1e6).round(),
            self.name,
            100.0 * top1,
            100.0 * top5
        )
    }

    /// The published fine-tuning.
    pub fn tune(&self) -> TuneOptions {
        TuneOptions {
            epochs: Some(EPOCHS),
            optimizer: Optimizer::Sgd,
            learning_rate: Some(LEARNING_RATE),
            weight_decay: Some(self.weight_decay),
            batch_size: self.batch_size,
            ..TuneOptions::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::request::SearchRequest;

    #[test]
    fn each_makes_a_search_and_a_fine_tuning_that_can_be_asked_for() {
        for template in &TEMPLATES {
            let mut fields = template.search();
            let own = json!({
                "model_id": Uuid::nil(), "dataset_id": Uuid::nil(), "scoring_images": 10_000,
                "preprocessing": { "mean": [0.485, 0.456, 0.406], "deviation": [0.229, 0.224, 0.225] },
            });
            fields.extend(own.as_object().unwrap().clone());
            let request: SearchRequest = serde_json::from_value(Value::Object(fields)).unwrap();
            assert_eq!(request.faults(), [], "{}", template.name);
            assert_eq!(request.template(), Some(template), "what was published of it is found again");
            assert_eq!(template.tune().faults(), [], "{}", template.name);
            assert!(request.min_keep_ratio < template.macs, "{}: room to draw in", template.name);
            assert_eq!(Template::named(template.name), Some(template));
            let published = template.published_text();
            assert!(published.starts_with("Published for") && published.contains(template.name), "{published}");
        }
        assert_eq!(Template::named("vgg"), None);
    }
}
