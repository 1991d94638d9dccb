//! Hostile TorchScript files by what they try: each is an error that says something, in bounded time and memory.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::archives::{Archive, CODE, PICKLE, refusal};

/// What is said about the network with these statements.
fn said(lines: &[&str]) -> String {
    Archive::controlled().with_statements(lines).refusal()
}

/// What is said against these statements, which libtorch compiles: an operator that is misspelt here would prove nothing.
fn said_against(lines: &[&str]) -> String {
    let error = said(lines);
    assert!(!error.contains("cannot load the file"), "{lines:?}: {error}");
    error
}

#[test]
fn the_file_that_is_changed_here_is_sound() {
    assert_eq!(Archive::controlled().refusal(), "");
    assert_eq!(said(&["x = torch.mul(x, 2)"]), "");
}

#[test]
fn the_seeds_of_the_fuzz_target_are_sound() {
    let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/torchscript");
    let files: Vec<_> = std::fs::read_dir(seeds).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 5);
    for file in files {
        assert_eq!(refusal(&std::fs::read(&file).unwrap()), "", "{}", file.display());
    }
}

#[test]
fn random_bytes_are_refused() {
    let mut runner = TestRunner::new(Config { cases: 100, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&(prop::collection::vec(any::<u8>(), 0..400), any::<bool>()), |(mut bytes, as_zip)| {
        if as_zip {
            bytes.splice(0..0, *b"PK\x03\x04");
        }
        prop_assert!(!refusal(&bytes).is_empty());
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn files_cut_short_are_refused() {
    let whole = Archive::controlled();
    let bytes = whole.packed();
    for length in (0..bytes.len()).step_by(37) {
        assert!(!refusal(&bytes[..length]).is_empty(), "{length} bytes");
    }
    for index in 0..whole.entries.len() {
        let mut cut = whole.clone();
        let content = &mut cut.entries[index].1;
        content.truncate(content.len() / 2);
        // The version alone can be any number.
        if cut.entries[index].0 != "net/version" {
            assert!(!cut.refusal().is_empty(), "{}", cut.entries[index].0);
        }
    }
}

#[test]
fn tensor_sizes_that_lie_are_refused() {
    // The weights of a convolution: the storage's 9 entries, and the shape [3, 3, 1, 1].
    let shape = b"(K\x03K\x03K\x01K\x01t";
    let pickle = Archive::controlled().entries.into_iter().find(|(name, _)| name == PICKLE).unwrap().1;
    let places: Vec<usize> = (0..pickle.len()).filter(|&i| pickle[i..].starts_with(shape)).collect();
    assert!(!places.is_empty());
    for number in
        [&b"K\x04"[..], b"J\xff\xff\xff\x7f", b"\x8a\x08\x00\x00\x00\x80\x00\x00\x00\x00", b"J\xff\xff\xff\xff"]
    {
        let mut changed = pickle.clone();
        changed.splice(places[0] + 1..places[0] + 3, number.iter().copied());
        let mut archive = Archive::controlled();
        archive.entries.iter_mut().find(|(name, _)| name == PICKLE).unwrap().1 = changed;
        let error = archive.refusal();
        assert!(error.contains("require a storage of at least") || error.contains("negative"), "{error}");
    }
    // Fewer bytes than the storage says, which libtorch would read past the end of.
    let mut archive = Archive::controlled();
    archive.entries.iter_mut().find(|(name, _)| name == "net/data/0").unwrap().1.truncate(8);
    assert!(archive.refusal().contains("has 8 bytes, but its tensors need 36"), "{}", archive.refusal());
}

#[test]
fn modules_in_a_cycle_are_refused() {
    // The network's object is remembered, and is its own attribute.
    let own = Archive::controlled()
        .edited(CODE, b"  scale : int\n", b"  scale : int\n  own : __torch__.Controlled\n")
        .edited(PICKLE, b")\x81}(X\x08", b")\x81q\xf0}(X\x08")
        .edited(PICKLE, b"X\x05\x00\x00\x00scale", b"X\x03\x00\x00\x00ownh\xf0X\x05\x00\x00\x00scale");
    assert!(!own.refusal().is_empty(), "modules in a cycle");
}

#[test]
fn lists_that_hold_themselves_are_refused() {
    let error = said(&["l = annotate(List[Any], [])", "l0 = torch.append(l, l)", "x = torch.mul(x, torch.len(l))"]);
    assert!(error.contains("nested containers"), "{error}");
}

#[test]
fn values_that_nest_or_double_without_end_are_refused() {
    let loops = |times: &str, value: &str| {
        said(&["t = annotate(Any, x)", times, value, "n = torch.len(annotate(List[Any], [t]))", "x = torch.mul(x, n)"])
    };
    let nested = loops("for i in range(900000):", "  t = annotate(Any, (t,))");
    assert!(nested.contains("nested containers"), "{nested}");
    let doubled = loops("for i in range(60):", "  t = annotate(Any, (t, t))");
    assert!(doubled.contains("items"), "{doubled}");
}

#[test]
fn enormous_sizes_are_refused() {
    for statement in [
        "x = torch.add(x, torch.sum(torch.zeros([2147483648, 2147483648])))",
        "x = torch.view(x, [2147483648, -1])",
        "x = torch.expand(torch.unsqueeze(x, -1), [1, 3, 8, 8, 2147483648])",
        "x = torch.pad(x, [2147483648, 2147483648])",
        "x = torch.repeat_interleave(x, 2147483648, 1)",
        "x = torch.repeat_interleave(x, 9223372036854775807, 1)",
        "x = torch.repeat(x, [1, 2147483648, 1, 1])",
        "x = torch.stack(torch.tensor_split(x, 9223372036854775807, 1))",
        "x = torch.mul(x, torch.sum(torch.arange(9223372036854775807)))",
        "x = torch.mul(x, torch.sum(torch.arange(0, 9223372036854775807, 2147483648)))",
    ] {
        assert!(!said_against(&[statement]).is_empty(), "{statement}");
    }
}

#[test]
fn constants_that_multiply_are_refused_before_they_fill_the_memory() {
    let broadcast = said(&[
        "z = torch.mul(torch.zeros([60000, 1]), torch.zeros([1, 60000]))",
        "x = torch.mul(x, torch.size(z, 0))",
    ]);
    assert!(broadcast.contains("too large"), "{broadcast}");
    let again = said(&["for i in range(2000000):", "  x = torch.mul(x, torch.size(torch.zeros([8000, 8000]), 0))"]);
    assert!(again.contains("in total"), "{again}");
    let apart = said(&["x = torch.mul(x, torch.len(torch.unbind(torch.zeros([60000000]))))"]);
    assert!(apart.contains("parts"), "{apart}");
}

/// Constants are computed by libtorch, which is given arguments here that it was not made for.
#[test]
fn constants_that_end_a_process_or_never_end_are_refused() {
    // Files of the first versions, as this one is, make floats of whole numbers unless they say what they want.
    let mut computed = Vec::new();
    let least = "torch.sub(torch.full([2], -9223372036854775807, dtype=4), 1)";
    for value in [
        format!("torch.floor_divide({least}, -1)").as_str(),
        format!("torch.remainder({least}, torch.full([2], -1, dtype=4))").as_str(),
        format!("torch.div({least}, -1, rounding_mode=\"trunc\")").as_str(),
        format!("torch.gcd({least}, torch.full([2], -1, dtype=4))").as_str(),
        "torch.remainder(torch.full([2], 7, dtype=4), 0)",
        "torch.fmod(torch.full([2], 7, dtype=4), 0)",
        "torch.floor_divide(torch.full([2], 7, dtype=4), torch.full([2], 0, dtype=4))",
        "torch.combinations(torch.arange(4), 9000000000000000000)",
        "torch.special_hermite_polynomial_h(torch.ones([4]), torch.full([4], 9000000000000000000, dtype=4))",
        "torch.from_file(\"/etc/hostname\", False, 4)",
        "torch.embedding(torch.ones([3, 4]), torch.full([2], 70000, dtype=4))",
        "torch.gather(torch.ones([3]), 0, torch.full([2], -70000, dtype=4))",
        "torch.take(torch.ones([3]), torch.full([2], 70000, dtype=4))",
        "torch.index_select(torch.ones([3]), 0, torch.full([2], 70000, dtype=4))",
        "torch.as_strided(torch.ones([3]), [1000, 1000], [1000, 1])",
        "torch.as_strided(torch.ones([3]), [4], [-1])",
        "torch.as_strided(torch.ones([3]), [60000, 60000], [0, 0])",
        "torch.conv1d(torch.ones([1, 1, 30000000]), torch.ones([1, 1, 20000000]))",
        "torch.matmul(torch.ones([6000, 6000]), torch.ones([6000, 6000]))",
        "torch.max_pool2d(torch.ones([1, 1, 4000, 4000]), [2000, 2000], [1, 1])",
        "torch.cdist(torch.ones([4000, 4000]), torch.ones([4000, 4000]))",
        "torch.matrix_power(torch.ones([2000, 2000]), 1000000007)",
        "torch.bincount(torch.full([2], 9000000000000, dtype=4))",
        "torch.one_hot(torch.full([2], 9000000000000, dtype=4))",
        "torch.linspace(0, 1, 9000000000000)",
        "torch.tril_indices(3000000000, 3000000000)",
        "torch.repeat_interleave(torch.ones([2]), torch.full([2], 9000000000000, dtype=4))",
        "torch.kron(torch.ones([60000]), torch.ones([60000]))",
        "torch.hann_window(9000000000000)",
        "torch.nonzero(torch.ones([8000, 8000, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]))",
        "torch.stack(torch.tensor_split(torch.ones([4]), 9000000000000))",
        "torch.stack(torch.split(torch.ones([70000000]), 1))",
        "(torch.native_batch_norm(torch.ones([2, 100000, 1]), None, None, torch.ones([1]), torch.ones([1]), True, 0.1, 1e-5))[0]",
        "torch.inverse(torch.ones([3, 3]))",
        "torch.pinverse(torch.ones([3, 3]))",
        "torch.det(torch.ones([3, 3]))",
        "torch.logdet(torch.ones([3, 3]))",
        "(torch.slogdet(torch.ones([3, 3])))[0]",
        "torch.nuclear_norm(torch.ones([3, 3]))",
        "torch.matrix_power(torch.ones([3, 3]), -1)",
        "torch.linalg_norm(torch.ones([3, 3]), \"nuc\")",
    ] {
        let error = said_against(&[&format!("z = {value}"), "x = torch.mul(x, torch.numel(z))"]);
        if error.is_empty() {
            computed.push(value.to_owned());
        }
    }
    assert!(computed.is_empty(), "{computed:#?}");
}

#[test]
fn nesting_bombs_are_refused() {
    let bracket = said(&[&format!("x = {}x{}", "(".repeat(100_000), ")".repeat(100_000))]);
    assert!(bracket.contains("nests brackets"), "{bracket}");
    let hidden = said(&["# \"", &format!("x = {}x", "(".repeat(100_000))]);
    assert!(hidden.contains("nests brackets"), "{hidden}");
    let chain = said(&[&format!("x = {}x", "-".repeat(500_000))]);
    assert!(chain.contains("parts"), "{chain}");
    let tuples = [b"(".repeat(200_000), b"t".repeat(200_000)].concat();
    let pickle = Archive::controlled().edited(PICKLE, b"scaleq\x03K\x02", &[b"scaleq\x03", &tuples[..]].concat());
    assert!(pickle.refusal().contains("nests values"), "{}", pickle.refusal());
    let name = "List[".repeat(100_000);
    let text = [b"scaleq\x03X", &(name.len() as u32).to_le_bytes()[..], name.as_bytes()].concat();
    let kind = Archive::controlled().edited(PICKLE, b"scaleq\x03K\x02", &text);
    assert!(kind.refusal().contains("nests brackets"), "{}", kind.refusal());
}

#[test]
fn upper_case_hides_no_code() {
    let mut archive = Archive::controlled().with_statements(&[&format!("x = {}x", "(".repeat(100_000))]);
    archive.entries.iter_mut().find(|(name, _)| name == CODE).unwrap().0 = "net/CODE/__TORCH__.PY".into();
    assert!(archive.refusal().contains("nests brackets"), "{}", archive.refusal());
    let twice = Archive::controlled().with_entry("net/CODE/__torch__.py", b"");
    assert!(twice.refusal().contains("twice"), "{}", twice.refusal());
}

#[test]
fn a_second_directory_is_refused() {
    // As PyTorch writes it: a 64-bit record and the pointer to it in front of the end, here of an archive with one entry less.
    let bytes = Archive::controlled().packed();
    let (body, end) = bytes.split_at(bytes.len() - 22);
    let number = |at: usize, width: usize| end[at..at + width].iter().rev().fold(0u64, |n, &b| n << 8 | u64::from(b));
    let with_second = |entries: u64| {
        let place = [entries, entries, number(12, 4), number(16, 4)].map(u64::to_le_bytes).concat();
        let record = [&b"PK\x06\x06"[..], &44u64.to_le_bytes(), &[0x1e, 3, 0x2d, 0], &[0; 8], &place].concat();
        let pointer = [&b"PK\x06\x07"[..], &[0; 4], &(body.len() as u64).to_le_bytes(), &1u32.to_le_bytes()].concat();
        [body, &record, &pointer, end].concat()
    };
    assert_eq!(refusal(&with_second(number(10, 2))), "");
    let error = refusal(&with_second(number(10, 2) - 1));
    assert!(error.contains("directories differ"), "{error}");
    let behind = [&bytes[..], b"more"].concat();
    assert!(refusal(&behind).contains("end with its directory"), "{}", refusal(&behind));
}

#[test]
fn deep_recursion_is_refused() {
    let call = "z = __torch__.f0(x, )";
    let own = Archive::controlled().with_statements(&[call]);
    let own = own.with_functions("def f0(x: Tensor) -> Tensor:\n  return __torch__.f0(x, )\n");
    assert!(own.refusal().contains("recursive"), "{}", own.refusal());
    assert!(said(&["z = (self).forward(x, )"]).contains("recursive"));
    let functions = |count: usize| {
        let link = |i: usize| format!("def f{i}(x: Tensor) -> Tensor:\n  return __torch__.f{}(x, )\n", i + 1);
        let last = format!("def f{count}(x: Tensor) -> Tensor:\n  return torch.relu(x)\n");
        let text = (0..count).map(link).collect::<String>() + &last;
        Archive::controlled().with_statements(&["x = __torch__.f0(x, )"]).with_functions(&text).refusal()
    };
    assert_eq!(functions(100), "");
    assert!(functions(5_000).contains("200 deep"), "{}", functions(5_000));
    assert!(functions(30_000).contains("classes and functions"), "{}", functions(30_000));
}

#[test]
fn endless_loops_end() {
    for (first, second) in [
        ("while True:", "  x = torch.relu(x)"),
        // Nothing is left of these bodies: libtorch drops what nobody reads.
        ("while True:", "  y = torch.relu(x)"),
        ("while True:", "  pass"),
    ] {
        let error = said(&[first, second]);
        assert!(error.contains("steps"), "{first} {second}: {error}");
    }
    assert!(said(&["for i in range(0, 1, -9223372036854775808):", "  x = torch.relu(x)"]).len() < 1000);
}

#[test]
fn nothing_is_computed_while_the_file_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("written");
    let value = format!("torch.from_file(\"{}\", True, 1000)", path.display());
    let default = format!("    times: int, z: Tensor={value}) -> Tensor:");
    let argument = Archive::controlled().edited(CODE, b"    times: int) -> Tensor:", default.as_bytes());
    let constant = format!("  scale : int\n  c : Final[Tensor] = {value}\n");
    let constant = Archive::controlled().edited(CODE, b"  scale : int\n", constant.as_bytes());
    for archive in [argument, constant] {
        let error = archive.refusal();
        assert!(error.contains("`torch.from_file`") && error.contains("while the file is loaded"), "{error}");
    }
    assert!(!path.exists());
}

/// libtorch computes with constant numbers while it compiles: these would have ended the process, or filled its memory.
#[test]
fn divisions_by_zero_and_texts_without_end_are_errors() {
    for value in [
        "torch.remainder(1, 0)",
        "torch.floordiv(1, 0)",
        "torch.floordiv(torch.sub(-9223372036854775807, 1), -1)",
        "torch.remainder(torch.sub(-9223372036854775807, 1), -1)",
        "torch.gcd(0, 0)",
        "torch.factorial(9223372036854775807)",
        "torch.len(torch.ljust(\"a\", 9000000000, \"b\"))",
        "torch.len(torch.replace(\"aaaa\", \"a\", \"bbbbbbbb\"))",
    ] {
        let error = said_against(&[&format!("x = torch.mul(x, {value})")]);
        assert!(error.contains("unsupported operators"), "{value}: {error}");
    }
    let doubled = ["s = \"a\""].into_iter().chain(["s = torch.add(s, s)"; 50]);
    let lines: Vec<&str> = doubled.chain(["x = torch.mul(x, torch.len(s))"]).collect();
    assert!(said(&lines).len() < 1000);
}
