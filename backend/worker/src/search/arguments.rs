//! What `search` is told, and the request that it makes of it: the same that the server takes.

use std::path::{Path, PathBuf};

use clap::Args;
use eagleeye_engine::{DeviceChoice, Opset};
use eagleeye_spec::presets::PRESETS;
use eagleeye_spec::templates::{TEMPLATES, Template};
use eagleeye_spec::{EvaluationPrecision, GroupLimit, LatencyOf, SearchRequest};
use serde_json::{Map, Value, json};

use crate::arguments::{ImportanceArgs, ModelArgs, SpaceArgs, named, number};
use crate::failure::Failure;
use crate::network_file::opset;

/// Images that are calibrated and scored on where there are as many.
const CALIBRATION: usize = 3200;
const SCORING: usize = 5000;

#[derive(Debug, Args)]
pub struct SearchArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Training images: IDX, an NPZ file, a Parquet file, or an archive (zip, tar, tar.gz) of PNG or JPEG images with one folder per class or,
    /// as a WebDataset, with a `.cls` file beside each image; or a folder of class folders, of `.tar` WebDatasets or of `.parquet` files.
    #[arg(long, value_name = "FILE")]
    pub images: PathBuf,
    /// The IDX file with the labels of IDX images.
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Mean of each input channel, after scaling.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', value_parser = number, required_unless_present_any = ["preset", "request"])]
    mean: Vec<f64>,
    /// Deviation of each input channel, after scaling.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', value_parser = number, required_unless_present_any = ["preset", "request"])]
    deviation: Vec<f64>,
    /// Factor of stored pixels before mean and deviation; 1/255 if omitted.
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    scale: Option<f64>,
    /// A known preprocessing instead of mean and deviation, such as `torchvision`.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["mean", "deviation", "scale"])]
    preset: Option<String>,
    /// Fractions of the multiply-adds to keep: one, or several for a winner each.
    #[arg(long, value_name = "FRACTIONS", value_delimiter = ',', value_parser = number)]
    macs: Vec<f64>,
    /// Fractions of the parameters to keep.
    #[arg(long, value_name = "FRACTIONS", value_delimiter = ',', value_parser = number)]
    parameters: Vec<f64>,
    /// Fractions of the bytes of weights and statistics to keep.
    #[arg(long, value_name = "FRACTIONS", value_delimiter = ',', value_parser = number)]
    bytes: Vec<f64>,
    /// Fractions of the full network's latency to keep, where `--latency-of` says.
    #[arg(long, value_name = "FRACTIONS", value_delimiter = ',', value_parser = number)]
    latency: Vec<f64>,
    /// What limits of latency are about: onnxruntime_one_thread, onnxruntime_all_threads or libtorch.
    #[arg(long, value_name = "RUNTIME", value_parser = named(LatencyOf::ALL, LatencyOf::name))]
    latency_of: Option<LatencyOf>,
    /// How strategies are chosen; several are compared side by side.
    #[arg(long, visible_alias = "strategies", value_name = "NAMES", value_delimiter = ',')]
    strategy: Vec<String>,
    /// Strategies to evaluate at most, for each of `--strategy` and each budget.
    #[arg(long, value_name = "NUMBER")]
    candidates: Option<u32>,
    /// Look for a Pareto front between the smallest and the largest budget.
    #[arg(long)]
    front: bool,
    /// Keep at least this part of channel groups, by name or pattern, such as `layer1.*=1` to leave them alone.
    #[arg(long, value_name = "GROUP=FRACTION", value_parser = group_limit)]
    limit: Vec<GroupLimit>,
    /// Images from which adaptive batch norm recomputes the running statistics; 3200 if there are as many.
    #[arg(long, value_name = "IMAGES")]
    calibration: Option<u32>,
    /// Held-back images on which candidates are scored; 5000 if there are as many.
    #[arg(long, value_name = "IMAGES")]
    scoring: Option<u32>,
    /// Held-back images on which the winners are scored at the end; 2000 if there are as many left.
    #[arg(long, value_name = "IMAGES")]
    test: Option<u32>,
    /// Best candidates of each budget that are repaired, too, and scored.
    #[arg(long, value_name = "NUMBER")]
    repaired: Option<u32>,
    /// Best candidates of each budget that are trained for a short time, too, and scored.
    #[arg(long, value_name = "NUMBER")]
    short_tuned: Option<u32>,
    /// Passes over the calibration images of those that are trained for a short time; 3 if omitted.
    #[arg(long, value_name = "NUMBER")]
    short_tune_epochs: Option<u32>,
    /// Evaluate every strategy on all images, instead of the better ones only.
    #[arg(long)]
    no_racing: bool,
    /// Everything random derives from it.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Images per forward pass.
    #[arg(long, value_name = "IMAGES")]
    batch_size: Option<u32>,
    /// Numbers in which candidates are adapted and scored: float32 or, where the device computes in it, bfloat16.
    #[arg(long, value_name = "NUMBERS", value_parser = named(EvaluationPrecision::ALL, EvaluationPrecision::name))]
    precision: Option<EvaluationPrecision>,
    #[command(flatten)]
    space: SpaceArgs,
    #[command(flatten)]
    importance: ImportanceArgs,
    /// Begin with the settings of an experiment of the paper, such as `resnet50_50`; other options replace what it says.
    #[arg(long, value_name = "NAME", value_parser = template, conflicts_with = "request")]
    template: Option<&'static Template>,
    /// A request as the server takes it, as JSON; other options replace what it says. Model and dataset ids are not needed.
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// Where to write the network that is made; the extension .pt, .onnx or .safetensors selects the format, and with several
    /// budgets the file's name gets the number of the budget. A study's report is written there instead, as Markdown (.md), with its
    /// figure and its numbers beside it.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Version of ONNX's operators in an ONNX file, from 13 to 21; 17 if omitted.
    #[arg(long, value_name = "VERSION", value_parser = opset)]
    pub opset: Option<Opset>,
    /// Do not measure how long the winners take.
    #[arg(long)]
    pub no_latency: bool,
    /// Device to compute on: auto, cpu or cuda:N.
    #[arg(long, default_value = "auto")]
    pub device: DeviceChoice,
    /// Print the report as JSON, instead of Markdown.
    #[arg(long)]
    pub json: bool,
}

impl SearchArgs {
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// The files that are read.
    pub fn inputs(&self) -> impl Iterator<Item = &Path> + Clone {
        let always = [&self.model.model, &self.images];
        let optional = [&self.labels, &self.request].into_iter().flatten();
        always.into_iter().chain(optional).map(PathBuf::as_path)
    }

    pub fn template(&self) -> Option<&'static Template> {
        self.template
    }

    /// The request, for a dataset of so many images and a model with so many input channels.
    ///
    /// # Errors
    /// What the server would answer with 422: each field that is at fault.
    pub fn request(&self, images: usize, channels: usize) -> Result<SearchRequest, Failure> {
        made(self.fields(images, channels)?)
    }

    /// As [`request`](Self::request), for a command that makes one network: by the same fraction of every group where no
    /// strategy is named, since a search's own default has to look around first. Some fields may come from elsewhere.
    pub fn request_for_one(
        &self,
        images: usize,
        channels: usize,
        further: Map<String, Value>,
    ) -> Result<SearchRequest, Failure> {
        let mut fields = self.fields(images, channels)?;
        if ["strategies", "manual"].iter().all(|name| !fields.contains_key(*name)) {
            fields.insert("strategies".to_owned(), json!(["uniform"]));
        }
        fields.extend(further);
        made(fields)
    }

    fn fields(&self, images: usize, channels: usize) -> Result<Map<String, Value>, Failure> {
        let mut fields = match &self.request {
            Some(path) => {
                let failed = |reason: String| Failure::Request { path: path.clone(), reason };
                let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
                serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?
            }
            None => self.template.map(|template| self.of(template)).unwrap_or_default(),
        };
        self.fill(&mut fields, images, channels)?;
        Ok(fields)
    }

    /// What a template says, without its budget where there is another one.
    fn of(&self, template: &Template) -> Map<String, Value> {
        let mut fields = template.search();
        if [&self.macs, &self.parameters, &self.bytes, &self.latency].iter().any(|given| !given.is_empty()) {
            fields.remove("macs");
        }
        fields
    }

    fn fill(&self, fields: &mut Map<String, Value>, images: usize, channels: usize) -> Result<(), Failure> {
        let mut set = |name: &str, value: Value| _ = fields.insert(name.to_owned(), value);
        let nobody = "00000000-0000-0000-0000-000000000000";
        set("model_id", json!(nobody));
        set("dataset_id", json!(nobody));
        let limits = [
            ("macs", &self.macs),
            ("parameters", &self.parameters),
            ("bytes", &self.bytes),
            ("latency", &self.latency),
        ];
        let most = limits.iter().map(|(_, given)| given.len()).max().unwrap_or_default();
        // The n-th budget has the n-th limit of each measure.
        let budgets: Vec<Value> = (0..most)
            .map(|place| {
                let limit = |&(name, given): &(&str, &Vec<f64>)| Some((name.to_owned(), json!(given.get(place)?)));
                Value::Object(limits.iter().filter_map(limit).collect())
            })
            .collect();
        if !budgets.is_empty() {
            set("budgets", Value::Array(budgets));
        }
        if let Some(of) = self.latency_of {
            set("latency_of", json!(of));
        }
        if !self.strategy.is_empty() {
            set("strategies", json!(self.strategy));
        }
        let numbers = [
            ("candidates", self.candidates.map(u64::from)),
            ("calibration_images", self.calibration.map(u64::from)),
            ("scoring_images", self.scoring.map(u64::from)),
            ("test_images", self.test.map(u64::from)),
            ("repaired", self.repaired.map(u64::from)),
            ("short_tuned", self.short_tuned.map(u64::from)),
            ("short_tune_epochs", self.short_tune_epochs.map(u64::from)),
            ("batch_size", self.batch_size.map(u64::from)),
            ("seed", self.seed),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                set(name, json!(number));
            }
        }
        if self.front {
            set("front", json!(true));
        }
        if let Some(precision) = self.precision {
            set("precision", json!(precision));
        }
        if self.no_racing {
            set("racing", json!(false));
        }
        if !self.limit.is_empty() {
            set("group_limits", json!(self.limit));
        }
        let is_whole = self.request.is_some() || self.template.is_some();
        let space = self.space.space();
        if !is_whole || space != eagleeye_spec::Space::default() {
            set("round_to", json!(space.round_to));
            set("min_keep_ratio", json!(space.min_keep_ratio));
        }
        let importance = self.importance.importance();
        if !is_whole || importance != eagleeye_spec::Importance::default() {
            set("importance", json!(importance));
        }
        if let Some(preprocessing) = self.preprocessing(channels)? {
            set("preprocessing", preprocessing);
        }
        fields.entry("calibration_images").or_insert_with(|| json!(CALIBRATION.min(images / 3)));
        fields.entry("scoring_images").or_insert_with(|| json!(SCORING.min(images / 2)));
        Ok(())
    }

    fn preprocessing(&self, channels: usize) -> Result<Option<Value>, Failure> {
        if let Some(name) = &self.preset {
            let known: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
            let preset = PRESETS.iter().find(|preset| preset.name == name);
            let preset = preset.ok_or_else(|| {
                Failure::Arguments(format!("--preset `{name}` is not known; there are {}", known.join(", ")))
            })?;
            let found = preset.preprocessing(channels).ok_or_else(|| {
                Failure::Arguments(format!("--preset `{name}` is not for a network with {channels} input channels"))
            })?;
            return Ok(Some(json!(found)));
        }
        if self.mean.is_empty() && self.deviation.is_empty() {
            return Ok(None);
        }
        let mut preprocessing = json!({ "mean": self.mean, "deviation": self.deviation });
        if let Some(scale) = self.scale {
            preprocessing["scale"] = json!(scale);
        }
        for (name, given) in [("mean", &self.mean), ("deviation", &self.deviation)] {
            if given.len() != channels {
                let detail = format!("--{name} has {} values; the network has {channels} input channels", given.len());
                return Err(Failure::Arguments(detail));
            }
        }
        Ok(Some(preprocessing))
    }
}

fn template(name: &str) -> Result<&'static Template, String> {
    let known = || TEMPLATES.iter().map(|template| template.name).collect::<Vec<_>>().join(", ");
    Template::named(name).ok_or_else(|| format!("is not known; there are {}", known()))
}

fn group_limit(text: &str) -> Result<GroupLimit, String> {
    let (group, keep) = text.rsplit_once('=').ok_or("must be GROUP=FRACTION, such as layer1.*=1")?;
    let keep = number(keep)?;
    Ok(GroupLimit { group: group.to_owned(), keep })
}

fn made(fields: Map<String, Value>) -> Result<SearchRequest, Failure> {
    let request: SearchRequest = serde_path_to_error::deserialize(Value::Object(fields))
        .map_err(|error| Failure::Arguments(format!("{}: {}", error.path(), error.inner())))?;
    let faults = request.faults();
    if faults.is_empty() {
        return Ok(request);
    }
    Err(Failure::of_fields(&faults))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use eagleeye_spec::Adaptation;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        search: SearchArgs,
    }

    fn request(arguments: &str) -> Result<SearchRequest, String> {
        parsed(arguments)?.request(60_000, 1).map_err(|error| error.to_string())
    }

    fn parsed(arguments: &str) -> Result<SearchArgs, String> {
        let fixed = "search m.pt --images i --out o.pt --mean 0.5 --deviation 0.25 ";
        let words = format!("{fixed}{arguments}");
        Cli::try_parse_from(words.split_whitespace()).map(|cli| cli.search).map_err(|error| error.to_string())
    }

    #[test]
    fn one_network_is_pruned_alike_everywhere_where_no_strategy_is_named() {
        let strategy = |arguments: &str, further: Value| {
            let Value::Object(further) = further else { unreachable!() };
            let made = parsed(arguments).unwrap().request_for_one(60_000, 1, further).unwrap();
            made.strategies[0].0.clone()
        };
        assert_eq!(strategy("--macs 0.5", json!({})), "uniform");
        assert_eq!(strategy("--macs 0.5 --strategy random", json!({})), "random");
        assert_eq!(strategy("--template mobilenet_v1_50", json!({})), "reference");
        let by_hand = json!({ "strategies": ["manual"], "manual": [{ "groups": { "stem": 3 } }] });
        assert_eq!(strategy("", by_hand), "manual");
        assert_ne!(request("--macs 0.5").unwrap().strategies[0].0, "uniform", "a search looks around");
    }

    #[test]
    fn options_make_the_request_that_the_server_takes() {
        let made =
            request("--macs 0.7,0.5 --parameters 0.9 --strategy random,uniform --limit layer1.*=1 --seed 7").unwrap();
        let budgets: Vec<String> = made.budgets().iter().map(ToString::to_string).collect();
        assert_eq!(budgets, ["0.7 of the MACs and 0.9 of the parameters", "0.5 of the MACs"]);
        assert_eq!((made.strategies.len(), made.group_limits.len(), made.seed), (2, 1, 7));
        assert_eq!((made.calibration_images, made.scoring_images, made.racing), (3200, 5000, true));
        assert_eq!((made.repaired, request("--macs 0.5 --repaired 2").unwrap().repaired), (0, 2));
        let trained = request("--macs 0.5 --short-tuned 2 --short-tune-epochs 5").unwrap();
        assert_eq!((made.short_tuned, made.short_tune_epochs), (0, 3));
        assert_eq!((trained.short_tuned, trained.short_tune_epochs), (2, 5));
        let timed = request("--latency 0.5 --latency-of libtorch").unwrap();
        assert_eq!(
            (timed.budgets()[0].to_string().as_str(), timed.latency_of),
            ("0.5 of the latency", LatencyOf::Libtorch)
        );
    }

    #[test]
    fn a_template_is_the_papers_search_but_for_what_other_options_say() {
        let made = request("--template resnet50_25").unwrap();
        assert_eq!((made.strategies[0].0.as_str(), made.macs, made.round_to), ("reference", Some(0.25), Some(1)));
        assert!((made.min_keep_ratio - 0.2).abs() < 1e-12, "{}", made.min_keep_ratio);
        assert_eq!((made.calibration_images, made.adaptation), (12_800, Adaptation::paper()));
        let other = request("--template resnet50_25 --macs 0.4 --strategy random --calibration 640").unwrap();
        let budgets: Vec<String> = other.budgets().iter().map(ToString::to_string).collect();
        assert_eq!((budgets, other.strategies[0].0.as_str()), (vec!["0.4 of the MACs".to_owned()], "random"));
        assert_eq!((other.calibration_images, other.round_to), (640, Some(1)));
        assert!(request("--template vgg").unwrap_err().contains("there are mobilenet_v1_50, resnet50_75"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(request("").unwrap_err().contains("needs at least one budget"));
        assert!(request("--macs 0.5 --preset imagenet").is_err(), "either a preset or numbers");
        assert!(request("--macs 7").unwrap_err().contains("budgets"));
        assert!(request("--latency 0.5 --latency-of tensorrt").unwrap_err().contains("onnxruntime_one_thread"));
    }
}
