//! Forms of files that are not a float32 network in evaluation mode with one input: what is read as it is, and what is refused
//! in which words.

use tch::{CModule, Device, Kind, Tensor};

use eagleeye_torchscript::{Imported, ModuleBuilder, Slot, read, write_in};
use crate::exec::forward;
use crate::network::{Format, Network};
use crate::testing::{difference, images};
use eagleeye_graph::ElementType::{Bf16, F16, F32};

const SHAPE: [usize; 4] = [1, 4, 6, 6];

/// A module with a convolution `w`, a linear layer `fc` in `kind`, and an affine `g` in `f32`.
fn module(kind: Kind, source: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    tch::manual_seed(5);
    let mut builder = ModuleBuilder::new().unwrap();
    for (name, size, kind) in [("w", &[8i64, 4, 3, 3][..], kind), ("fc", &[5, 8], kind), ("g", &[8], Kind::Float)] {
        let tensor = Tensor::rand(size, (Kind::Float, Device::Cpu)).to_kind(kind);
        builder.tensor(name, Slot::Parameter, &tensor).unwrap();
    }
    builder.define(source).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("module.pt");
    builder.save(&path, &[]).unwrap();
    (folder, path)
}

fn forward_of(lines: &str) -> String {
    let lines: Vec<String> = lines.trim().lines().map(|line| format!("    {}\n", line.trim())).collect();
    format!("def forward(self, x: Tensor) -> Tensor:\n{}", lines.concat())
}

fn refusal(source: &str) -> String {
    let (_folder, path) = module(Kind::Float, source);
    read(&path, Some(&SHAPE)).unwrap_err().to_string()
}

fn imported(kind: Kind, lines: &str) -> (Imported, tempfile::TempDir, std::path::PathBuf) {
    let (folder, path) = module(kind, &forward_of(lines));
    (read(&path, Some(&SHAPE)).unwrap_or_else(|error| panic!("{error}")), folder, path)
}

#[test]
fn a_file_in_training_mode_is_refused_with_the_cure() {
    for training in [
        "y = torch.dropout(torch.conv2d(x, self.w), 0.5, True)",
        "y = torch.feature_dropout(torch.conv2d(x, self.w), 0.5, True)",
        "y = torch.batch_norm(torch.conv2d(x, self.w), self.g, self.g, self.g, self.g, True, 0.1, 1e-05, False)",
        "y = torch.scaled_dot_product_attention(x, x, x, None, 0.1)",
    ] {
        let error = refusal(&forward_of(&format!("{training}\nreturn y")));
        assert!(error.contains("training mode") && error.contains("model.eval()"), "{training}: {error}");
    }
}

#[test]
fn dropout_that_is_off_or_drops_nothing_is_read() {
    for dropout in ["torch.dropout(x, 0.5, False)", "torch.dropout(x, 0.0, True)"] {
        let (read, ..) = imported(Kind::Float, &format!("return torch.conv2d({dropout}, self.w)"));
        assert_eq!(read.graph.nodes.len(), 1, "{dropout}");
    }
}

#[test]
fn several_inputs_are_named_and_no_input_is_refused() {
    let error =
        refusal("def forward(self, x: Tensor, scale: Tensor) -> Tensor:\n    return torch.conv2d(x, self.w) * scale\n");
    assert!(error.contains("2 inputs (`x`, `scale`)") && error.contains("images"), "{error}");
    let error = refusal("def forward(self) -> Tensor:\n    return torch.relu(self.g)\n");
    assert!(error.contains("has no input"), "{error}");
    let error = refusal("def forward(self, xs: List[Tensor]) -> Tensor:\n    return torch.conv2d(xs[0], self.w)\n");
    assert!(error.contains("`xs` is a list"), "{error}");
}

#[test]
fn an_input_with_a_default_is_no_further_input() {
    let source =
        "def forward(self, x: Tensor, mask: Optional[Tensor]=None) -> Tensor:\n    return torch.conv2d(x, self.w)\n";
    let (_folder, path) = module(Kind::Float, source);
    assert_eq!(read(&path, Some(&SHAPE)).unwrap().graph.inputs.len(), 1);
}

#[test]
fn a_cast_of_an_activation_to_whole_numbers_drops_its_fractions() {
    let (whole, ..) = imported(Kind::Float, "return torch.to(torch.to(torch.conv2d(x, self.w), 4), 6)");
    let operators: Vec<&str> = whole.graph.nodes.iter().map(|node| node.op.name(4)).collect();
    assert_eq!(operators, ["conv2d", "sign", "abs", "floor", "mul"]);
    let error = refusal(&forward_of("return torch.to(torch.to(torch.conv2d(x, self.w), 9), 6)"));
    assert!(error.contains("an unsupported element type"), "{error}");
}

#[test]
fn a_network_in_one_type_has_it_throughout() {
    let lines = "y = torch.relu(torch.conv2d(x, self.w))\nreturn torch.linear(torch.mean(y, [2, 3]), self.fc)";
    let (half, ..) = imported(Kind::Half, lines);
    assert_eq!(half.precision.parameters["w"], F16);
    assert!(half.precision.nodes.values().all(|element| *element == F16), "{:?}", half.precision);
    assert_eq!(half.precision.outputs, [Some(F16)]);
    assert!(half.weights.iter().all(|weight| weight.kind() == Kind::Float));
    let (single, ..) = imported(Kind::Float, lines);
    assert_eq!(single.precision, eagleeye_graph::Precision::default());
}

/// Reads the module, writes it again, and runs both.
fn assert_comes_out_as_it_came(kind: Kind, lines: &str) -> Imported {
    let (read, folder, path) = imported(kind, lines);
    let network = Network {
        graph: read.graph.clone(),
        weights: read.weights.iter().map(Tensor::shallow_clone).collect(),
        precision: read.precision.clone(),
        format: Format::TorchScript,
        metadata: Default::default(),
    };
    let written = folder.path().join("written.pt");
    let stored = network.stored_weights().unwrap();
    write_in(&network.graph, &stored, &network.precision, &network.metadata, &written).unwrap();
    let x = images(2, &[3, 4, 6, 6]).to_kind(Kind::Float);
    let run = |path| tch::no_grad(|| CModule::load(path).unwrap().forward_ts(&[x.shallow_clone()]).unwrap());
    let (expected, found) = (run(&path), run(&written));
    assert_eq!(found.kind(), expected.kind());
    let single = |tensor: &Tensor| tensor.to_kind(Kind::Float);
    assert!(difference(&single(&found), &single(&expected)) < 1e-6, "{lines}");
    assert!(difference(&single(&forward(&network, &x).unwrap()), &single(&expected)) < 0.1, "{lines}");
    let again = read(&written, Some(&SHAPE)).unwrap();
    assert_eq!(again.precision.parameters, network.precision.parameters);
    assert_eq!(again.precision.outputs, network.precision.outputs);
    read
}

#[test]
fn a_half_network_with_a_norm_in_single_precision_keeps_its_casts() {
    let lines = "
        y = torch.mean(torch.relu(torch.conv2d(torch.to(x, 5), self.w)), [2, 3])
        z = torch.layer_norm(torch.to(y, 6), [8], self.g, self.g, 1e-05, False)
        return torch.to(torch.linear(torch.to(z, 5), self.fc), 6)";
    let read = assert_comes_out_as_it_came(Kind::Half, lines);
    let stored = |name: &str| read.precision.parameters[name];
    assert_eq!((stored("w"), stored("fc"), stored("g")), (F16, F16, F32));
    assert_eq!(read.precision.nodes["layer_norm"], F32);
    assert_eq!(read.precision.outputs, [Some(F32)]);
}

#[test]
fn a_network_traced_under_autocast_keeps_single_weights_and_computes_in_half() {
    let lines = "
        y = torch.relu(torch.conv2d(torch.to(x, 15), torch.to(self.w, 15)))
        return torch.linear(torch.to(torch.mean(y, [2, 3]), 15), torch.to(self.fc, 15))";
    let read = assert_comes_out_as_it_came(Kind::Float, lines);
    assert_eq!(read.precision.parameters["w"], F32);
    assert_eq!(read.precision.outputs, [Some(Bf16)]);
}
