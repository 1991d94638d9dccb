//! The preprocessings that networks were trained with, by library and data set.

use crate::preprocessing::Filter::{self, Bicubic, Bilinear};
use crate::preprocessing::{ChannelOrder, Preprocessing, Resize};

/// A preprocessing that has a name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preset {
    pub name: &'static str,
    /// Whose it is, in words.
    pub summary: &'static str,
    pub resize: Resize,
    pub filter: Filter,
    /// Side of the input in pixels that `resize` is meant for. `None`: any.
    pub input_size: Option<u32>,
    /// One value for every channel, or one for each of three.
    pub mean: &'static [f64],
    /// As many as `mean` has.
    pub deviation: &'static [f64],
    pub scale: f64,
    pub channels: ChannelOrder,
    /// Of the network's input. `None`: any number.
    pub input_channels: Option<u32>,
}

impl Preset {
    /// For a network whose input has that many channels; `None` where it is for another number.
    pub fn preprocessing(&self, input_channels: usize) -> Option<Preprocessing> {
        if self.input_channels.is_some_and(|own| own as usize != input_channels) {
            return None;
        }
        let each = |values: &[f64]| match values {
            [one] => vec![*one; input_channels],
            _ => values.to_vec(),
        };
        Some(Preprocessing {
            mean: each(self.mean),
            deviation: each(self.deviation),
            scale: self.scale,
            resize: self.resize,
            filter: self.filter,
            channels: self.channels,
        })
    }

    /// Whether both do the same with the values of pixels, whatever they do with sizes.
    pub fn same_values(&self, other: &Preset) -> bool {
        let values = |preset: &Preset| (preset.mean, preset.deviation, preset.scale, preset.channels);
        values(self) == values(other) && self.input_channels == other.input_channels
    }
}

/// One preset for each way to treat the values of pixels: the first of those that differ in how images are resized only.
pub fn distinct_values() -> impl Iterator<Item = &'static Preset> {
    let is_first =
        |(index, preset): &(usize, &Preset)| !PRESETS[..*index].iter().any(|before| before.same_values(preset));
    PRESETS.iter().enumerate().filter(is_first).map(|(_, preset)| preset)
}

const BYTE: f64 = 1.0 / 255.0;
const IMAGENET: Values = (&[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225]);
const HALF: Values = (&[0.5; 3], &[0.5; 3]);
const CLIP: Values = (&[0.48145466, 0.4578275, 0.40821073], &[0.26862954, 0.26130258, 0.27577711]);

const DPN: Values = (&[124.0 / 255.0, 117.0 / 255.0, 104.0 / 255.0], &[1.0 / (0.0167 * 255.0); 3]);

type Values = (&'static [f64], &'static [f64]);

/// The shorter side is resized to `size`, and the middle is cut out.
const fn photograph(
    name: &'static str,
    summary: &'static str,
    size: u32,
    input_size: u32,
    filter: Filter,
    (mean, deviation): Values,
) -> Preset {
    Preset {
        name,
        summary,
        resize: Resize::ShorterSide { size },
        filter,
        input_size: Some(input_size),
        mean,
        deviation,
        scale: BYTE,
        channels: ChannelOrder::Rgb,
        input_channels: Some(3),
    }
}

/// Images that have the input's size as they are.
const fn as_they_are(
    name: &'static str,
    summary: &'static str,
    input_size: Option<u32>,
    values: Values,
    scale: f64,
) -> Preset {
    let (mean, deviation) = values;
    let input_channels = match (input_size, mean.len()) {
        (None, 1) => None,
        (_, length) => Some(length as u32),
    };
    Preset {
        name,
        summary,
        resize: Resize::Cover {},
        filter: Filter::Bilinear,
        input_size,
        mean,
        deviation,
        scale,
        channels: ChannelOrder::Rgb,
        input_channels,
    }
}

/// All presets; of each source the most common first.
pub const PRESETS: &[Preset] = &[
    photograph(
        "torchvision",
        "torchvision's weights of the first version (IMAGENET1K_V1) for most networks: AlexNet, VGG, ResNet, DenseNet, MobileNet and others",
        256,
        224,
        Bilinear,
        IMAGENET,
    ),
    photograph(
        "torchvision_v2",
        "torchvision's weights of the second version (IMAGENET1K_V2) for most networks, and the first of ConvNeXt base and large",
        232,
        224,
        Bilinear,
        IMAGENET,
    ),
    photograph(
        "torchvision_224_224_bicubic",
        "torchvision's MaxViT, and its linear SWAG weights of RegNet and ViT",
        224,
        224,
        Bicubic,
        IMAGENET,
    ),
    photograph(
        "torchvision_384_384_bicubic",
        "torchvision's SWAG weights of RegNet and ViT-B, trained end to end",
        384,
        384,
        Bicubic,
        IMAGENET,
    ),
    photograph(
        "torchvision_260_256_bicubic",
        "torchvision's swin_v2_s (IMAGENET1K_V1), swin_v2_t (IMAGENET1K_V1)",
        260,
        256,
        Bicubic,
        IMAGENET,
    ),
    photograph("torchvision_230_224", "torchvision's convnext_small (IMAGENET1K_V1)", 230, 224, Bilinear, IMAGENET),
    photograph("torchvision_232_224_bicubic", "torchvision's swin_t (IMAGENET1K_V1)", 232, 224, Bicubic, IMAGENET),
    photograph("torchvision_236_224", "torchvision's convnext_tiny (IMAGENET1K_V1)", 236, 224, Bilinear, IMAGENET),
    photograph("torchvision_238_224_bicubic", "torchvision's swin_b (IMAGENET1K_V1)", 238, 224, Bicubic, IMAGENET),
    photograph("torchvision_242_224", "torchvision's vit_l_16 (IMAGENET1K_V1)", 242, 224, Bilinear, IMAGENET),
    photograph("torchvision_246_224_bicubic", "torchvision's swin_s (IMAGENET1K_V1)", 246, 224, Bicubic, IMAGENET),
    photograph(
        "torchvision_256_224_bicubic",
        "torchvision's efficientnet_b0 (IMAGENET1K_V1)",
        256,
        224,
        Bicubic,
        IMAGENET,
    ),
    photograph(
        "torchvision_256_224_vgg16_features",
        "torchvision's vgg16 (IMAGENET1K_FEATURES)",
        256,
        224,
        Bilinear,
        (&[0.48235, 0.45882, 0.40784], &[BYTE; 3]),
    ),
    photograph("torchvision_255_240", "torchvision's efficientnet_b1 (IMAGENET1K_V2)", 255, 240, Bilinear, IMAGENET),
    photograph(
        "torchvision_256_240_bicubic",
        "torchvision's efficientnet_b1 (IMAGENET1K_V1)",
        256,
        240,
        Bicubic,
        IMAGENET,
    ),
    photograph("torchvision_272_256_bicubic", "torchvision's swin_v2_b (IMAGENET1K_V1)", 272, 256, Bicubic, IMAGENET),
    photograph(
        "torchvision_288_288_bicubic",
        "torchvision's efficientnet_b2 (IMAGENET1K_V1)",
        288,
        288,
        Bicubic,
        IMAGENET,
    ),
    photograph("torchvision_342_299", "torchvision's inception_v3 (IMAGENET1K_V1)", 342, 299, Bilinear, IMAGENET),
    photograph(
        "torchvision_320_300_bicubic",
        "torchvision's efficientnet_b3 (IMAGENET1K_V1)",
        320,
        300,
        Bicubic,
        IMAGENET,
    ),
    photograph(
        "torchvision_384_380_bicubic",
        "torchvision's efficientnet_b4 (IMAGENET1K_V1)",
        384,
        380,
        Bicubic,
        IMAGENET,
    ),
    photograph("torchvision_384_384", "torchvision's efficientnet_v2_s (IMAGENET1K_V1)", 384, 384, Bilinear, IMAGENET),
    photograph(
        "torchvision_456_456_bicubic",
        "torchvision's efficientnet_b5 (IMAGENET1K_V1)",
        456,
        456,
        Bicubic,
        IMAGENET,
    ),
    photograph(
        "torchvision_480_480_bicubic_half",
        "torchvision's efficientnet_v2_l (IMAGENET1K_V1)",
        480,
        480,
        Bicubic,
        HALF,
    ),
    photograph("torchvision_480_480", "torchvision's efficientnet_v2_m (IMAGENET1K_V1)", 480, 480, Bilinear, IMAGENET),
    photograph(
        "torchvision_512_512_bicubic",
        "torchvision's vit_l_16 (IMAGENET1K_SWAG_E2E_V1)",
        512,
        512,
        Bicubic,
        IMAGENET,
    ),
    photograph(
        "torchvision_518_518_bicubic",
        "torchvision's vit_h_14 (IMAGENET1K_SWAG_E2E_V1)",
        518,
        518,
        Bicubic,
        IMAGENET,
    ),
    photograph(
        "torchvision_528_528_bicubic",
        "torchvision's efficientnet_b6 (IMAGENET1K_V1)",
        528,
        528,
        Bicubic,
        IMAGENET,
    ),
    photograph(
        "torchvision_600_600_bicubic",
        "torchvision's efficientnet_b7 (IMAGENET1K_V1)",
        600,
        600,
        Bicubic,
        IMAGENET,
    ),
    photograph("timm", "timm's default: crop_pct 0.875", 256, 224, Bicubic, IMAGENET),
    photograph("timm_crop_90", "timm with crop_pct 0.9", 248, 224, Bicubic, IMAGENET),
    photograph("timm_crop_95", "timm with crop_pct 0.95", 235, 224, Bicubic, IMAGENET),
    photograph("timm_crop_100", "timm with crop_pct 1.0", 224, 224, Bicubic, IMAGENET),
    photograph("timm_half", "timm with mean and std of Inception, crop_pct 0.875", 256, 224, Bicubic, HALF),
    photograph(
        "timm_half_crop_90",
        "timm with mean and std of Inception, crop_pct 0.9: many vision transformers",
        248,
        224,
        Bicubic,
        HALF,
    ),
    photograph("timm_half_crop_95", "timm with mean and std of Inception, crop_pct 0.95", 235, 224, Bicubic, HALF),
    photograph("timm_half_crop_100", "timm with mean and std of Inception, crop_pct 1.0", 224, 224, Bicubic, HALF),
    photograph(
        "timm_inception",
        "timm's Inception and Xception at 299 pixels, crop_pct 0.875",
        341,
        299,
        Bicubic,
        HALF,
    ),
    photograph(
        "timm_inception_crop_897",
        "timm's Inception-ResNet and legacy Xception at 299 pixels, crop_pct 0.8975",
        333,
        299,
        Bicubic,
        HALF,
    ),
    photograph("clip", "CLIP's image encoders, of OpenAI and in timm", 224, 224, Bicubic, CLIP),
    photograph(
        "timm_dpn",
        "timm's DPN, with the values of MXNet: mean 124, 117, 104 and scale 0.0167",
        256,
        224,
        Bicubic,
        DPN,
    ),
    as_they_are(
        "cifar10",
        "CIFAR-10: mean and deviation of all its pixels",
        Some(32),
        (&[0.4914, 0.4822, 0.4465], &[0.2470, 0.2435, 0.2616]),
        BYTE,
    ),
    as_they_are(
        "cifar10_image_deviation",
        "CIFAR-10 with the mean of each image's deviation, which many scripts have",
        Some(32),
        (&[0.4914, 0.4822, 0.4465], &[0.2023, 0.1994, 0.2010]),
        BYTE,
    ),
    as_they_are(
        "cifar100",
        "CIFAR-100: mean and deviation of all its pixels",
        Some(32),
        (&[0.5071, 0.4865, 0.4409], &[0.2673, 0.2564, 0.2762]),
        BYTE,
    ),
    as_they_are(
        "cifar100_image_deviation",
        "CIFAR-100 with the mean of each image's deviation, which many scripts have",
        Some(32),
        (&[0.5071, 0.4865, 0.4409], &[0.2009, 0.1984, 0.2023]),
        BYTE,
    ),
    as_they_are("mnist", "MNIST", Some(28), (&[0.1307], &[0.3081]), BYTE),
    as_they_are("fashion_mnist", "Fashion-MNIST", Some(28), (&[0.2860], &[0.3530]), BYTE),
    as_they_are("0_to_1", "Pixels from 0 to 1", None, (&[0.0], &[1.0]), BYTE),
    as_they_are("minus_1_to_1", "Pixels from -1 to 1", None, (&[0.5], &[0.5]), BYTE),
    as_they_are("0_to_255", "Pixels from 0 to 255, as they are stored", None, (&[0.0], &[1.0]), 1.0),
    Preset {
        name: "caffe",
        summary: "Caffe's networks and Keras's of its kind: blue first, from 0 to 255, less the mean of ImageNet",
        resize: Resize::ShorterSide { size: 256 },
        filter: Bilinear,
        input_size: Some(224),
        mean: &[103.939, 116.779, 123.68],
        deviation: &[1.0; 3],
        scale: 1.0,
        channels: ChannelOrder::Bgr,
        input_channels: Some(3),
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::Deserialize;

    use super::*;

    /// What weights say; `tests/presets/make.py` has asked them.
    #[derive(Deserialize)]
    struct Weights {
        preset: Option<String>,
        weights: Vec<String>,
        resize: u32,
        crop: u32,
        filter: Filter,
        mean: Vec<f64>,
        deviation: Vec<f64>,
    }

    impl Weights {
        fn are(&self, preset: &Preset) -> bool {
            let close = |ours: &[f64], theirs: &[f64]| {
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() < 1e-12)
            };
            preset.resize == Resize::ShorterSide { size: self.resize }
                && (preset.input_size, preset.filter) == (Some(self.crop), self.filter)
                && (preset.scale, preset.channels) == (1.0 / 255.0, ChannelOrder::Rgb)
                && close(preset.mean, &self.mean)
                && close(preset.deviation, &self.deviation)
        }
    }

    fn of_source(prefix: &str) -> Vec<&'static Preset> {
        PRESETS.iter().filter(|preset| preset.name.starts_with(prefix)).collect()
    }

    #[test]
    fn each_of_torchvisions_weights_has_its_preset_and_no_preset_is_idle() {
        let all: Vec<Weights> = serde_json::from_str(include_str!("../tests/presets/torchvision.json")).unwrap();
        let presets = of_source("torchvision");
        for weights in &all {
            let fitting: Vec<_> =
                presets.iter().filter(|preset| weights.are(preset)).map(|preset| preset.name).collect();
            assert_eq!(fitting.len(), 1, "{:?}: {fitting:?}", weights.weights);
        }
        assert_eq!(presets.len(), all.len());
        assert!(all.iter().map(|setting| setting.weights.len()).sum::<usize>() > 100, "all weights were asked");
    }

    #[test]
    fn presets_of_timm_are_what_its_weights_say() {
        let all: Vec<Weights> = serde_json::from_str(include_str!("../tests/presets/timm.json")).unwrap();
        for preset in of_source("timm").into_iter().chain(of_source("clip")) {
            let weights = all.iter().find(|weights| weights.preset.as_deref() == Some(preset.name)).unwrap();
            assert!(weights.are(preset), "{}: {:?}", preset.name, weights.weights);
        }
    }

    #[test]
    fn each_preset_is_a_valid_request_for_its_channels() {
        assert_eq!(PRESETS.iter().map(|preset| preset.name).collect::<BTreeSet<_>>().len(), PRESETS.len());
        for preset in PRESETS {
            let fitting =
                |channels| preset.preprocessing(channels).map(|p| (p.mean.len(), p.deviation.len(), p.faults()));
            match preset.input_channels {
                None => assert_eq!((fitting(1), fitting(3)), (Some((1, 1, vec![])), Some((3, 3, vec![])))),
                Some(1) => assert_eq!((fitting(1), fitting(3)), (Some((1, 1, vec![])), None)),
                Some(_) => assert_eq!((fitting(1), fitting(3)), (None, Some((3, 3, vec![]))), "{}", preset.name),
            }
        }
    }

    #[test]
    fn ways_to_treat_values_are_listed_once() {
        let distinct: Vec<_> = distinct_values().map(|preset| preset.name).collect();
        assert_eq!(distinct[0], "torchvision");
        for name in ["timm", "timm_crop_90", "torchvision_v2"] {
            assert!(!distinct.contains(&name), "{name} differs from ImageNet in how it resizes only");
        }
        for name in ["clip", "timm_dpn", "cifar10", "mnist", "0_to_1", "minus_1_to_1", "0_to_255", "caffe"] {
            assert!(distinct.contains(&name), "{name}");
        }
    }
}
