//! What kind of file somebody has given: told by content, never by name. Files that are no network, but are often taken for
//! one, are known by name, so that the answer can say what to do.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zip::ZipArchive;

use crate::network::Format;

/// Bytes of the file that are looked at.
const HEAD: u64 = 512;
/// Bytes of a pickle in which the name of its first class stands.
const PICKLE_HEAD: u64 = 256;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What the engine reads.
    Model(Format),
    /// Another kind: what it is, and what to do instead.
    Other {
        is: &'static str,
        instead: &'static str,
    },
    Unknown,
}

const TRACE: &str =
    "save it in Python with torch.jit.save(torch.jit.trace(model.eval(), example), path) or torch.onnx.export";

const STATE_DICT: Kind = Kind::Other {
    is: "weights without the network (a state_dict, saved with torch.save)",
    instead: "load them into the model in Python with load_state_dict and save the model with \
              torch.jit.save(torch.jit.trace(model.eval(), example), path) or torch.onnx.export",
};
const MODULE: Kind = Kind::Other {
    is: "a module saved with torch.save, which can only be opened with the Python code of its class",
    instead: TRACE,
};

/// The kind of the file at `path`.
pub(crate) fn kind(path: &Path) -> io::Result<Kind> {
    let mut file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let mut head = Vec::new();
    file.by_ref().take(HEAD).read_to_end(&mut head)?;
    if head.starts_with(b"PK\x03\x04") {
        return Ok(of_zip(file));
    }
    Ok(of_head(&head, bytes))
}

fn of_head(head: &[u8], bytes: u64) -> Kind {
    if let Some((_, kind)) = BY_START.iter().find(|(start, _)| head.starts_with(start)) {
        return *kind;
    }
    let fourth = head.get(4..8).unwrap_or_default();
    if let Some((_, kind)) = BY_IDENTIFIER.iter().find(|(identifier, _)| fourth == *identifier) {
        return *kind;
    }
    if is_safetensors(head, bytes) {
        return Kind::Other {
            is: "weights without the network (safetensors)",
            instead: "load them into the model in Python and save the model with \
                      torch.jit.save(torch.jit.trace(model.eval(), example), path) or torch.onnx.export",
        };
    }
    if head.get(257..262) == Some(b"ustar") {
        return ARCHIVE;
    }
    match head {
        // A pickle of protocol 2 to 5, as torch.save wrote before it wrote zips.
        [0x80, 2..=5, ..] => STATE_DICT,
        // The first field of TensorFlow's SavedModel is its version, and the next a graph; a whole ONNX file would be of 2017.
        [0x08, 0x01, 0x12, ..] if contains(head, b"serve") || contains(head, b"saved_model") => TENSORFLOW,
        // A protobuf message begins with the key of a field: of a model these are numbers 1 to 25 with their wire types.
        [key, ..] if ONNX_KEYS.contains(key) => Kind::Model(Format::Onnx),
        [] => Kind::Other { is: "empty", instead: "its upload or copy may have been interrupted" },
        _ => Kind::Unknown,
    }
}

/// First bytes of the fields of ONNX's `ModelProto` (onnx.proto): varints 1 and 5, messages and strings 2, 3, 4, 6, 7, 8, 14;
/// those with numbers above 15 begin with the low bits of a longer key.
const ONNX_KEYS: [u8; 11] = [0x08, 0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72, 0xa2, 0xca];

const TENSORFLOW: Kind = Kind::Other {
    is: "a TensorFlow model",
    instead: "convert it with `python -m tf2onnx.convert --saved-model FOLDER --output model.onnx`",
};
const KERAS: Kind = Kind::Other {
    is: "a Keras model",
    instead: "convert it in Python with tf2onnx.convert.from_keras(model, output_path=\"model.onnx\")",
};
const ARCHIVE: Kind = Kind::Other { is: "a compressed archive", instead: "unpack it and upload the model's file" };
const PICTURE: Kind = Kind::Other { is: "an image", instead: "upload a network here and images as a dataset" };
const WEB_PAGE: Kind = Kind::Other {
    is: "a web page",
    instead: "check the address that it was downloaded from and download the file itself",
};

const BY_START: [(&[u8], Kind); 14] = [
    (b"\x89HDF\r\n\x1a\n", KERAS),
    (b"GGUF", Kind::Other { is: "a language model (GGUF)", instead: "upload a convolutional classifier" }),
    (
        b"version https://git-lfs",
        Kind::Other {
            is: "a Git LFS pointer instead of the file itself",
            instead: "fetch the file with `git lfs pull` and upload it",
        },
    ),
    (b"<!DOCTYPE html", WEB_PAGE),
    (b"<!doctype html", WEB_PAGE),
    (b"<html", WEB_PAGE),
    (
        b"<?xml",
        Kind::Other { is: "XML, possibly OpenVINO", instead: "upload the ONNX file that it was converted from" },
    ),
    (b"\x1f\x8b", ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", ARCHIVE),
    (b"BZh", ARCHIVE),
    (b"\xfd7zXZ", ARCHIVE),
    (b"\x89PNG", PICTURE),
    (b"\xff\xd8\xff", PICTURE),
    (b"\x93NUMPY", Kind::Other { is: "a NumPy array", instead: "upload a network here and arrays as a dataset" }),
];

/// FlatBuffers have their identifier behind the first offset.
const BY_IDENTIFIER: [(&[u8], Kind); 3] = [
    (
        b"TFL3",
        Kind::Other {
            is: "a TensorFlow Lite model",
            instead: "convert it with `python -m tf2onnx.convert --tflite model.tflite --output model.onnx`",
        },
    ),
    (
        b"ORTM",
        Kind::Other {
            is: "a model in ONNX Runtime's own format",
            instead: "upload the ONNX file that it was made from",
        },
    ),
    (
        b"ET12",
        Kind::Other { is: "an ExecuTorch program", instead: "trace the module that it was made from and upload that" },
    ),
];

/// Eight bytes with the length of a header, and the header in JSON.
fn is_safetensors(head: &[u8], bytes: u64) -> bool {
    let Some((length, rest)) = head.split_first_chunk::<8>() else { return false };
    rest.first() == Some(&b'{') && u64::from_le_bytes(*length).checked_add(8).is_some_and(|end| end <= bytes)
}

/// A zip that can be opened and holds no TorchScript code is of another kind; one that is damaged is the importer's business.
fn of_zip(file: File) -> Kind {
    let torchscript = Kind::Model(Format::TorchScript);
    let Ok(mut archive) = ZipArchive::new(file) else { return torchscript };
    let names: Vec<String> = archive.file_names().filter_map(|name| name.ok().map(|name| name.to_string())).collect();
    let inner = |name: &str| name.split_once('/').map_or(name, |(_, inner)| inner).to_ascii_lowercase();
    let has = |wanted: &dyn Fn(&str) -> bool| names.iter().any(|name| wanted(name) || wanted(&inner(name)));
    if has(&|name| name.starts_with("code/")) {
        return torchscript;
    }
    if has(&|name| name == "archive_format" || name == "serialized_exported_program.json") {
        return Kind::Other {
            is: "a torch.export program (.pt2)",
            instead: "load it in Python with torch.export.load and save it with \
                      torch.onnx.export(program, dynamo=True).save(\"model.onnx\")",
        };
    }
    if let Some(pickle) = names.iter().find(|name| inner(name) == "data.pkl") {
        return of_pickle(&mut archive, pickle);
    }
    if has(&|name| name == "model.weights.h5") {
        return KERAS;
    }
    if has(&|name| name.ends_with(".npy")) {
        return Kind::Other {
            is: "a file of NumPy arrays (.npz)",
            instead: "upload a network here and arrays of images as a dataset",
        };
    }
    Kind::Other {
        is: "a zip that contains neither an ONNX file nor TorchScript",
        instead: "upload the network's own file, or a zip of one ONNX file with its weights",
    }
}

/// torch.save pickles a dict of tensors, or a module, whose class is the first thing that its pickle names.
fn of_pickle(archive: &mut ZipArchive<File>, name: &str) -> Kind {
    let mut head = Vec::new();
    let read = archive.by_name(name).map(|entry| entry.take(PICKLE_HEAD).read_to_end(&mut head));
    let dict = match head.get(2..) {
        Some(body) => body.starts_with(b"}") || body.starts_with(b"ccollections\n"),
        None => false,
    };
    if matches!(read, Ok(Ok(_))) && !dict && head.get(2) == Some(&b'c') { MODULE } else { STATE_DICT }
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|part| part == wanted)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn said(bytes: &[u8]) -> String {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        match kind(file.path()).unwrap() {
            Kind::Other { is, instead } => format!("{is}; {instead}"),
            other => format!("{other:?}"),
        }
    }

    fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, content) in entries {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn files_that_are_taken_for_networks_are_known_and_say_what_to_do_instead() {
        let safetensors = [&2u64.to_le_bytes()[..], b"{}"].concat();
        let cases: [(&[u8], &str); 12] = [
            (b"\x80\x02\x8a\x0a", "load_state_dict"),
            (&safetensors, "safetensors"),
            (b"\x89HDF\r\n\x1a\n...", "from_keras"),
            (b"\x1c\x00\x00\x00TFL3....", "--tflite"),
            (b"\x08\x01\x12\x20....serve", "--saved-model"),
            (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
            (b"<!DOCTYPE html><html>", "downloaded from"),
            (b"\x1f\x8b\x08", "unpack it"),
            (b"\x89PNG\r\n", "dataset"),
            (b"\x20\x00\x00\x00ORTM", "ONNX Runtime's own format"),
            (b"", "empty"),
            (b"GGUF", "classifier"),
        ];
        for (bytes, wanted) in cases {
            assert!(said(bytes).contains(wanted), "{}", said(bytes));
        }
    }

    #[test]
    fn zips_without_code_are_told_apart_by_what_they_hold() {
        type Entries = &'static [(&'static str, &'static [u8])];
        let cases: [(Entries, &str); 7] = [
            (&[("net/data.pkl", b"\x80\x02ccollections\nOrderedDict\n"), ("net/version", b"3")], "load_state_dict"),
            (&[("net/data.pkl", b"\x80\x02}q\x00")], "load_state_dict"),
            (&[("net/data.pkl", b"\x80\x02ctorchvision.models.resnet\nResNet\n")], "Python code of its class"),
            (&[("net/archive_format", b"pt2"), ("net/data/sample_inputs/model.pt", b"")], "torch.export.load"),
            (&[("config.json", b"{}"), ("model.weights.h5", b"")], "from_keras"),
            (&[("images.npy", b"")], "dataset"),
            (&[("weights.bin", b"")], "neither an ONNX file nor TorchScript"),
        ];
        for (entries, wanted) in cases {
            let said = said(&zipped(entries));
            assert!(said.contains(wanted), "{said}");
        }
    }

    #[test]
    fn networks_are_known_by_their_first_bytes_or_their_code() {
        assert_eq!(said(&zipped(&[("net/data.pkl", b""), ("net/code/__torch__.py", b"")])), "Model(TorchScript)");
        assert_eq!(said(b"PK\x03\x04 damaged"), "Model(TorchScript)");
        assert_eq!(said(b"\x08\x08\x12\x07pytorch"), "Model(Onnx)");
        assert_eq!(said(b"something else"), "Unknown");
    }
}
