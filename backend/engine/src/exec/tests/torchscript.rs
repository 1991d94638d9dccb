//! Code as people's models have it, compiled by libtorch, read here, and compared with what libtorch makes of it.

mod constants;
mod forms;
mod operators;

use tch::{CModule, Device, Kind, Tensor};

use eagleeye_torchscript::{ModuleBuilder, Slot, TorchScriptError, read, write};
use crate::exec::forward;
use crate::network::{Format, Network};
use crate::testing::{classifier, difference, images};

/// A module whose `forward` has the given body over `x` `[N, 4, 6, 6]`; it has a convolution `w` (`[8, 4, 3, 3]`), a bias
/// `b` (`[8]`) and a linear layer's `fc` (`[5, 8]`).
fn module(body: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    tch::manual_seed(3);
    let mut builder = ModuleBuilder::new().unwrap();
    for (name, size) in [("w", &[8i64, 4, 3, 3][..]), ("b", &[8]), ("fc", &[5, 8])] {
        builder.tensor(name, Slot::Parameter, &Tensor::randn(size, (Kind::Float, Device::Cpu))).unwrap();
    }
    let lines: Vec<String> = body.trim().lines().map(|line| format!("    {line}\n")).collect();
    builder.define(&format!("def forward(self, x: Tensor) -> Tensor:\n{}", lines.concat())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("module.pt");
    builder.save(&path, &[]).unwrap();
    (folder, path)
}

fn import(body: &str) -> Result<(Network, std::path::PathBuf, tempfile::TempDir), TorchScriptError> {
    let (folder, path) = module(body);
    let imported = read(&path, Some(&[1, 4, 6, 6]))?;
    let (graph, precision) = (imported.graph, imported.precision);
    let (weights, metadata) = (imported.weights, imported.metadata);
    Ok((Network { graph, precision, weights, format: Format::TorchScript, metadata }, path, folder))
}

/// Reads the module, runs both on batches of two sizes, and the file that is written from the graph too.
fn assert_same(name: &str, body: &str) {
    let (network, path, folder) = import(body).unwrap_or_else(|error| panic!("{name}: {error}"));
    let written = folder.path().join("written.pt");
    write(&network.graph, &network.weights, &network.metadata, &written).unwrap();
    for batch in [1, 3] {
        let x = images(batch as u64, &[batch, 4, 6, 6]);
        let run = |path| tch::no_grad(|| CModule::load(path).unwrap().forward_ts(std::slice::from_ref(&x)).unwrap());
        let expected = run(&path);
        let found = forward(&network, &x).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found.size(), expected.size(), "{name}");
        assert!(difference(&found, &expected) < 1e-5, "{name}");
        assert!(difference(&run(&written), &expected) < 1e-5, "{name}, written again");
    }
}

#[test]
fn the_input_shape_is_the_one_that_the_network_was_traced_with() {
    let seed = |name: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../torchscript/fuzz/seeds/torchscript").join(name);
    let traced = read(&seed("plain_traced.pt"), None).unwrap();
    assert_eq!((traced.graph.input_shape(1), traced.guessed_shape), (vec![1, 3, 8, 8], false));
    let given = read(&seed("plain_traced.pt"), Some(&[1, 3, 16, 16])).unwrap();
    assert_eq!((given.graph.input_shape(1), given.guessed_shape), (vec![1, 3, 16, 16], false));
    assert!(read(&seed("plain_scripted.pt"), None).unwrap().guessed_shape, "a script has no inputs to tell");
}

#[test]
fn code_of_real_models_means_what_libtorch_makes_of_it() {
    let cases = [
        (
            "a convolution and a classifier",
            "
            y = torch.relu(torch.conv2d(x, self.w, self.b, [1, 1], [1, 1]))
            return torch.linear(torch.flatten(torch.adaptive_avg_pool2d(y, [1, 1]), 1), self.fc)",
        ),
        (
            "sizes that follow the batch",
            "
            y = torch.conv2d(x, self.w, self.b)
            return y.view(y.size(0), -1).reshape(x.size(0), 8, -1).mean(2)",
        ),
        (
            "a channel shuffle",
            "
            y = torch.conv2d(x, self.w, self.b)
            n, c, h, w = y.size()
            y = y.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)
            return torch.sigmoid(y)",
        ),
        (
            "operations in place",
            "
            y = torch.conv2d(x, self.w)
            y += 1.5
            y.mul_(2.0)
            torch.relu_(y)
            return y",
        ),
        (
            "a view that is changed through its base",
            "
            y = torch.conv2d(x, self.w).clone()
            y.clamp_(-0.5, 0.5)
            z = y.view(y.size(0), -1)
            return z + 1.0",
        ),
        (
            "loops and lists",
            "
            parts: List[Tensor] = []
            for i in range(3):
                parts.append(torch.conv2d(x, self.w) * float(i + 1))
            return torch.cat(parts, 1)",
        ),
        (
            "a branch on a size",
            "
            if x.size(1) == 4 and x.dim() == 4:
                y = torch.conv2d(x, self.w)
            else:
                y = x
            return y",
        ),
        (
            "chunks, splits and stacks",
            "
            y = torch.conv2d(x, self.w, self.b)
            a, b = torch.chunk(y, 2, 1)
            c, d = torch.split(b, 2, 1)
            return torch.stack([a.sum(1), c.sum(1), d.max(1)[0]], 1)",
        ),
        (
            "a slice of a stored tensor set to zero",
            "
            bias = self.b.clone()
            bias[2:5].zero_()
            return torch.conv2d(x, self.w, bias)",
        ),
        (
            "a squeeze-excite gate",
            "
            y = torch.conv2d(x, self.w)
            gate = torch.hardsigmoid(y.mean([2, 3], keepdim=True))
            return y * gate + torch.hardswish(y)",
        ),
        (
            "attention over positions",
            "
            y = torch.conv2d(x, self.w).flatten(2).transpose(1, 2)
            scores = torch.softmax(torch.matmul(y, y.transpose(-2, -1)) * 0.25, -1)
            return torch.matmul(scores, y).mean(1)",
        ),
        (
            "positions that the code computes",
            "
            y = torch.conv2d(x, self.w)
            ramp = torch.arange(y.size(3), dtype=6) / 10.0
            return y + ramp",
        ),
        (
            "weight norm",
            "
            g = self.b.view([8, 1, 1, 1])
            return torch.conv2d(x, torch._weight_norm(self.w, g, 0), self.b)",
        ),
        (
            "spectral norm",
            "
            y = torch.conv2d(x, self.w)
            sigma = torch.dot(self.b, torch.mv(self.fc.t(), torch.mv(self.fc, self.b)))
            return y / sigma",
        ),
        (
            "a weight that is standardised",
            "
            mean = self.w.mean([1, 2, 3], keepdim=True)
            deviation = self.w.std([1, 2, 3], keepdim=True)
            return torch.conv2d(x, (self.w - mean) / (deviation + 0.00001), self.b)",
        ),
        (
            "maps that are expanded and repeated over channels",
            "
            y = torch.conv2d(x, self.w)
            y = y * torch.sigmoid(y.mean([1], keepdim=True)).expand_as(y)
            return y + y.amax([1], keepdim=True).repeat([1, y.size(1), 1, 1])",
        ),
        (
            "windows",
            "
            n, c, h, w = x.size()
            y = x.view(n, c, h // 3, 3, w // 3, 3).permute(0, 2, 4, 3, 5, 1).reshape(n * 4, 9, c)
            y = torch.layer_norm(y, [4])
            return torch.roll(y.view(n, 4, 9, c), [1], [2])",
        ),
    ];
    for (name, body) in cases {
        let lines: Vec<&str> = body.lines().map(|line| line.strip_prefix("            ").unwrap_or(line)).collect();
        assert_same(name, &lines.join("\n"));
    }
}

#[test]
fn weights_of_a_frozen_module_are_learned_and_called_what_its_code_calls_them() {
    tch::manual_seed(5);
    let randn = |size: &[i64]| Tensor::randn(size, (Kind::Float, Device::Cpu));
    let (w, b, fc) = (randn(&[8, 4, 3, 3]), randn(&[8]), randn(&[5, 8]));
    // What a traced function takes from around it is a constant of its code, as frozen weights are.
    let mut network = |inputs: &[Tensor]| {
        let y = inputs[0].conv2d(&w, Some(&b), 1, 1, 1, 1).relu();
        vec![y.mean_dim([2i64, 3].as_slice(), false, None::<Kind>).linear(&fc, None::<&Tensor>)]
    };
    let x = images(1, &[2, 4, 6, 6]);
    let module = CModule::create_by_tracing("frozen", "forward", std::slice::from_ref(&x), &mut network).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frozen.pt");
    module.save(&path).unwrap();
    let imported = read(&path, Some(&[1, 4, 6, 6])).unwrap();
    let stored: Vec<_> = imported.graph.parameters.iter().map(|p| (p.name.as_str(), &p.shape[..])).collect();
    assert_eq!(stored, [("CONSTANTS.c0", &[8, 4, 3, 3][..]), ("CONSTANTS.c1", &[8]), ("CONSTANTS.c2", &[5, 8])]);
    assert!(imported.graph.parameters.iter().all(|p| p.kind == eagleeye_graph::ParameterKind::Parameter));
    let (graph, precision) = (imported.graph, imported.precision);
    let (weights, metadata) = (imported.weights, imported.metadata);
    let imported = Network { graph, precision, weights, format: Format::TorchScript, metadata };
    let wanted = module.forward_ts(std::slice::from_ref(&x)).unwrap();
    assert!(difference(&forward(&imported, &x).unwrap(), &wanted) < 1e-5);
}

#[test]
fn all_unsupported_operators_are_named_at_once_with_their_nodes() {
    let error = import("y = torch.erfinv(x)\nz = torch.cummax(y, 1)[0]\nreturn torch.erfinv(z)").err().unwrap();
    let TorchScriptError::Unsupported(operators) = &error else { panic!("{error}") };
    let names: Vec<&str> = operators.iter().map(|o| o.operator.as_str()).collect();
    assert!(names.contains(&"aten::erfinv"), "{error}");
    assert!(error.to_string().contains("erfinv"), "{error}");
}

#[test]
fn an_unsupported_operator_is_named_when_its_result_goes_into_a_list() {
    let error =
        import("parts: List[Tensor] = []\nparts.append(torch.erfinv(x))\nreturn torch.cat(parts, 1)").err().unwrap();
    assert!(matches!(&error, TorchScriptError::Unsupported(all) if all[0].operator == "aten::erfinv"), "{error}");
}

#[test]
fn a_branch_on_an_activation_is_refused() {
    let error = import("if bool(self.b[0]):\n    return x\nreturn x * 2.0").err().unwrap();
    assert!(error.to_string().contains("activation"), "{error}");
}

#[test]
fn an_endless_loop_ends() {
    let error = import("i = 0\nwhile i < 1000000000000:\n    i += 1\nreturn x").err().unwrap();
    assert!(matches!(error, TorchScriptError::TooLong(_)), "{error}");
}

#[test]
fn a_list_that_doubles_itself_ends() {
    let body = "parts = [x]\nfor i in range(60):\n    parts = parts + parts\nreturn torch.cat(parts, 1)";
    assert!(import(body).is_err());
}

#[test]
fn a_constant_as_large_as_the_memory_is_refused() {
    let error = import("return x + torch.zeros([4000000000, 4000000000]).sum()").err().unwrap();
    assert!(error.to_string().contains("too large"), "{error}");
}

#[test]
fn a_network_written_and_read_again_is_the_same_network() {
    let folder = tempfile::tempdir().unwrap();
    for batch_norms in [true, false] {
        let network = classifier(1, batch_norms);
        let path = folder.path().join("network.pt");
        write(&network.graph, &network.weights, &network.metadata, &path).unwrap();
        let again = read(&path, None).unwrap();
        assert_eq!(again.graph.input_shape(2), network.graph.input_shape(2));
        let names = |graph: &eagleeye_graph::Graph| {
            let mut names: Vec<String> = graph.parameters.iter().map(|p| p.name.clone()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&again.graph), names(&network.graph));
        let x = images(2, &[2, 1, 12, 12]);
        let again = network.with(again.graph, again.weights);
        assert!(difference(&forward(&again, &x).unwrap(), &forward(&network, &x).unwrap()) < 1e-6);
    }
}
