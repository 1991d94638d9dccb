//! `docs/operators.md`: what can be read from either format, out of the lists by which the importers choose.

use std::fmt::Write;

use eagleeye_torchscript::operators as torchscript;

const INTRODUCTION: &str = "\
# Supported operators
Written by `eagleeye-worker operators` from the lists by which the importers choose; a test compares. A model with any other
operator is refused at upload, with all such operators and their nodes named at once.

Every operator becomes operations of one graph (`backend/graph/src/ops.rs`), and every export is written from that graph.
Label propagation knows these operations only: what can be pruned follows from them.
";

const FOLLOWED: &str = "
Calls, branches and loops of the code are followed: `prim::Constant`, `prim::GetAttr`, `prim::SetAttr`, `prim::CallMethod`,
`prim::CallFunction`, `prim::If`, `prim::Loop`, `prim::RaiseException`.
";

const COMPUTED: &str = "
Tensors that do not depend on the input, also those whose size follows the batch (`zeros(x.shape[0], 1, h, w)`): libtorch
computes every operator of `aten` that takes and gives tensors, numbers, texts and lists of them, within a limit of memory and
time. Its in-place form is computed like its plain one. A result that depends on the batch must be the same for every image. Not
computed are operators that draw random numbers, and these:

| operator | why |
|---|---|
";

const GUIDE: &str = "
## Adding an operator
1. Say it with the graph's operations, if they can: most operators are a composition. Write a function from the call to its
   result in the family that fits (`backend/torchscript/src/operators/`, `backend/onnx/src/import/operators/`) and list
   it in that family's table with what it becomes and what about it is refused. Never guess: return `unsupported` with
   the reason.
2. Only where no composition says it, add an operation to `Op` (`backend/graph/src/ops.rs`). The compiler then names every
   place that must know it: its shape (`shape.rs`), its labels (`labels/`: an operation that only moves data runs on the label
   tensor itself, an elementwise one unifies), what pruning does to its attributes (`plan/attributes.rs`), the interpreter
   (`backend/engine/src/exec/`), and both writers (`backend/torchscript/src/source/operations.rs`, `backend/onnx/src/export/`).
3. Prove it: a case in `backend/engine/src/exec/tests/torchscript/operators.rs` compares with libtorch, one in
   `backend/graph/tests/it/topologies.rs` holds the zero oracle.
4. Run `cargo run -p eagleeye-worker -- operators > docs/operators.md`.
";

/// The whole page.
pub fn page() -> String {
    let mut text = INTRODUCTION.to_owned();
    text.push_str("\n## TorchScript\nIn-place forms (`aten::relu_`) are read like their plain ones.\n");
    for (title, operators) in torchscript::families() {
        table(&mut text, title, operators.iter().map(|o| (o.name, o.becomes)));
    }
    text.push_str("\n### Computed while the network is read\n");
    text.push_str(FOLLOWED);
    for family in torchscript::folded_families() {
        list(&mut text, family.title, family.operators.iter().map(|o| o.name));
    }
    list(&mut text, "Constant tensors", torchscript::constant_operators().iter().map(|o| o.name));
    let title = "Constant tensors of the shape or the element type of an activation";
    list(&mut text, title, torchscript::of_shape_alone().into_iter());
    text.push_str(COMPUTED);
    for (name, reason) in torchscript::refused_operators() {
        let _ = writeln!(text, "| `{name}` | {reason} |");
    }
    text.push_str("\n## ONNX\nOpsets 9 to 24; functions of the file are read in place of their calls.\n");
    for (title, operators) in eagleeye_onnx::families() {
        table(&mut text, title, operators.iter().map(|o| (o.name, o.becomes)));
    }
    text.push_str("\n### Computed while the network is read\n");
    let title = "Shapes, numbers and tensors that do not depend on the input";
    list(&mut text, title, eagleeye_onnx::folded_operators().into_iter());
    text.push_str(GUIDE);
    text
}

fn table<'a>(text: &mut String, title: &str, rows: impl Iterator<Item = (&'a str, &'a str)>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "\n### {title}\n| operator | becomes |\n|---|---|");
    for (name, becomes) in rows {
        let _ = writeln!(text, "| `{name}` | {} |", becomes.replace('|', "\\|"));
    }
}

fn list<'a>(text: &mut String, title: &str, names: impl Iterator<Item = &'a str>) {
    let mut names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    names.sort();
    let _ = writeln!(text, "\n{title}: {}.", names.join(", "));
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_page_in_the_repository_is_of_this_code() {
        let stored = include_str!("../../../docs/operators.md");
        assert!(stored == page(), "run `cargo run -p eagleeye-worker -- operators > docs/operators.md`");
    }

    #[test]
    fn every_operator_that_the_torchscript_importer_names_is_on_the_page() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../torchscript/src");
        let families = fs::read_dir(source.join("operators")).unwrap().map(|entry| entry.unwrap().path());
        let page = page();
        let mut named = 0;
        for file in families.chain([source.join("interpreter.rs")]) {
            let text = fs::read_to_string(&file).unwrap();
            let (code, _) = text.split_once("#[cfg(test)]").unwrap_or((&text, ""));
            for operator in code.split('"').filter(|part| is_operator(part)) {
                let plain = operator.strip_suffix('_').filter(|plain| !plain.ends_with('_')).unwrap_or(operator);
                assert!(page.contains(&format!("`{plain}`")), "{operator} of {} is not on the page", file.display());
                named += 1;
            }
        }
        assert!(named > 300, "only {named} operators were found");
    }

    fn is_operator(text: &str) -> bool {
        let name = text.strip_prefix("aten::").or_else(|| text.strip_prefix("prim::"));
        name.is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
    }
}
