//! Folders on a disk: with a folder per class, or with shards.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use eagleeye_data::{DataError, Dataset, Files, Limits, check, check_sample};
use eagleeye_spec::report::{DatasetKind, DatasetReport};
use parquet::basic::Encoding;
use parquet::file::properties::WriterVersion;
use tempfile::TempDir;

use crate::parquet_files::{Column, HUGGING_FACE, bytes, named, packings, parquet, paths, pets, plain, wide};
use crate::support::{OnDisk, as_stored, colour_png, grey_png, gzip, jpeg, outline, small_idx, tar};

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn files(folder: &Path) -> Files {
    Files { images: folder.to_owned(), labels: None }
}

fn checked(folder: &TempDir) -> Result<DatasetReport, DataError> {
    check(&files(folder.path()), &Limits::default())
}

fn opened(folder: &TempDir) -> Dataset {
    Dataset::open(&files(folder.path()), &Limits::default()).unwrap()
}

/// A tar of samples: a key, a value of grey, and a class each.
fn samples(samples: &[(&str, u8, &str)]) -> Vec<u8> {
    let entries: Vec<(String, Vec<u8>)> = samples
        .iter()
        .flat_map(|(key, grey, class)| {
            [(format!("{key}.png"), grey_png(1, 1, &[*grey])), (format!("{key}.cls"), class.as_bytes().to_vec())]
        })
        .collect();
    tar(&entries.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect::<Vec<_>>())
}

/// The pixels of a dataset of one grey pixel each.
fn greys(dataset: &Dataset) -> Vec<f32> {
    (0..dataset.len()).map(|index| dataset.decode(index, &as_stored(1, 1, 1)).unwrap()[0]).collect()
}

#[test]
fn class_folders_are_read_as_those_of_an_archive() {
    let pictures = [grey_png(2, 1, &[1, 2]), jpeg(2, 1, 90), colour_png(3, 1, [7, 8, 9])];
    let content: [(&str, &[u8]); 6] = [
        ("dog/b.png", &pictures[0]),
        ("dog/a.jpg", &pictures[1]),
        ("cat/c.png", &pictures[2]),
        ("cat/.DS_Store", b"litter"),
        (".git/objects/ab", b"litter"),
        ("LICENCE", b"MIT"),
    ];
    let (on_disk, packed) = (folder(&content), OnDisk::one(&tar(&content)));
    let report = checked(&on_disk).unwrap();
    assert_eq!((report.content.kind, report.content.labelled), (DatasetKind::Folder, true));
    assert_eq!(outline(&report), (3, 3, 2, 1, vec![("cat", 1), ("dog", 2)]));
    assert_eq!(outline(&report), outline(&packed.check().unwrap()));

    let (on_disk, packed) = (opened(&on_disk), packed.open());
    assert_eq!((on_disk.labels(), packed.labels()), (&[0, 1, 1][..], &[0, 1, 1][..]));
    let input = as_stored(3, 2, 2);
    for index in 0..3 {
        assert_eq!(on_disk.decode(index, &input).unwrap(), packed.decode(index, &input).unwrap());
    }
}

#[test]
fn class_folders_may_lie_in_one_more_folder_and_images_without_one_have_no_labels() {
    let dot = grey_png(1, 1, &[0]);
    let nested = checked(&folder(&[("train/a/1.png", &dot), ("train/b/1.png", &dot)])).unwrap();
    assert_eq!(outline(&nested), (2, 1, 1, 1, vec![("a", 1), ("b", 1)]));
    let flat = checked(&folder(&[("1.png", &dot), ("2.png", &dot)])).unwrap();
    assert_eq!((flat.content.kind, flat.content.labelled), (DatasetKind::Folder, false));
}

#[test]
fn what_is_wrong_in_a_folder_is_named() {
    let dot = grey_png(1, 1, &[0]);
    let refused = checked(&folder(&[("cat/1.png", &dot), ("cat/old/1.png", &dot)])).unwrap_err();
    assert!(matches!(&refused, DataError::Layout { entry } if entry == "cat/1.png"), "{refused}");
    let broken = checked(&folder(&[("cat/1.png", &dot), ("dog/2.png", b"no picture")])).unwrap_err();
    assert!(matches!(&broken, DataError::Image { entry, .. } if entry == "dog/2.png"), "{broken}");
    let empty = folder(&[("cat/1.png", &dot)]);
    fs::create_dir(empty.path().join("dog")).unwrap();
    let refused = checked(&empty).unwrap_err();
    assert!(matches!(&refused, DataError::EmptyClass { class } if class == "dog"), "{refused}");
    let refused = checked(&folder(&[])).unwrap_err();
    assert!(matches!(refused, DataError::EmptyFolder), "{refused}");
    let linked = folder(&[("cat/1.png", &dot)]);
    symlink("/etc/hostname", linked.path().join("cat/2.png")).unwrap();
    let refused = checked(&linked).unwrap_err();
    assert!(matches!(&refused, DataError::SpecialEntry { entry } if entry == "cat/2.png"), "{refused}");
    let labels = folder(&[("labels", &small_idx().1)]);
    let two = Files { labels: Some(labels.path().join("labels")), ..files(folder(&[("a.png", &dot)]).path()) };
    assert!(check(&two, &Limits::default()).is_err());
}

#[test]
fn the_limits_of_uploads_hold_for_each_file_and_their_number() {
    let dot = grey_png(1, 1, &[0]);
    let content = folder(&[("a/1.png", &dot), ("a/2.png", &dot), ("b/1.png", &dot)]);
    let within = |limits| check(&files(content.path()), &limits);
    let limits =
        Limits { images: 3, classes: 2, image_bytes: dot.len() as u64, unpacked_bytes: 0, ..Limits::default() };
    within(limits).unwrap();
    assert!(matches!(within(Limits { images: 2, ..limits }), Err(DataError::TooManyImages { limit: 2 })));
    assert!(matches!(within(Limits { images: 1, ..limits }), Err(DataError::TooManyImages { limit: 1 })));
    assert!(matches!(within(Limits { classes: 1, ..limits }), Err(DataError::TooManyClasses { .. })));
    let one_less = within(Limits { image_bytes: dot.len() as u64 - 1, ..limits }).unwrap_err();
    assert!(matches!(&one_less, DataError::ImageBytes { entry, .. } if entry == "a/1.png"), "{one_less}");
}

#[test]
fn shards_are_one_dataset_in_the_order_of_their_names() {
    let shards = folder(&[
        ("train-001.tar", &samples(&[("c", 30, "0"), ("a", 20, "4")])),
        ("train-000.tar", &samples(&[("x", 10, "1")])),
        ("README.md", b"two shards"),
    ]);
    let report = checked(&shards).unwrap();
    assert_eq!((report.content.kind, report.content.images), (DatasetKind::WebDataset, 3));
    assert_eq!(outline(&report).4, [("0", 1), ("1", 1), ("2", 0), ("3", 0), ("4", 1)]);
    let dataset = opened(&shards);
    assert_eq!((dataset.labels(), greys(&dataset)), (&[1, 4, 0][..], vec![10.0, 20.0, 30.0]));
}

#[test]
fn shards_of_parquet_are_read_where_they_lie_however_pages_are_packed() {
    for packing in packings() {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            for rows_a_page in [1, 100] {
                let properties = || {
                    let names = named(&["cat", "dog"]).set_compression(packing).set_writer_version(version);
                    names
                        .set_encoding(Encoding::PLAIN)
                        .set_data_page_row_count_limit(rows_a_page)
                        .set_write_batch_size(1)
                };
                let more = parquet(
                    HUGGING_FACE,
                    properties(),
                    &[vec![bytes(&[&grey_png(2, 1, &[5, 6]), &grey_png(2, 1, &[7, 8])]), paths(2), wide(&[1, 1])]],
                );
                let shards = folder(&[("0.parquet", &pets(properties())), ("1.parquet", &more)]);
                let report = checked(&shards).unwrap();
                assert_eq!(outline(&report), (5, 3, 2, 1, vec![("cat", 2), ("dog", 3)]), "{packing}, {version:?}");
                let dataset = opened(&shards);
                assert_eq!((report.content.kind, dataset.labels()), (DatasetKind::Parquet, &[1, 0, 0, 1, 1][..]));
                let read = |index| dataset.decode(index, &as_stored(3, 1, 2)).unwrap();
                assert_eq!(read(4), [7.0, 8.0].repeat(3));
                assert_eq!(read(3), [5.0, 6.0].repeat(3));
                assert_eq!(read(1), [200.0; 6]);
                assert_eq!(read(2), [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]);
                assert_eq!(read(0), [30.0, 40.0].repeat(3));
            }
        }
    }
}

#[test]
fn the_shard_and_the_file_in_it_that_are_at_fault_are_named() {
    let good = samples(&[("a", 1, "0")]);
    let says = |shards: &[(&str, &[u8])]| checked(&folder(shards)).unwrap_err().to_string();
    let dot = grey_png(1, 1, &[0]);
    let broken = tar(&[("x.png", b"no picture"), ("x.cls", b"0")]);
    let said = says(&[("0.tar", &good), ("1.tar", &broken)]);
    assert!(said.starts_with("shard `1.tar`: `x.png` cannot be read"), "{said}");
    let said = says(&[("0.tar", &good), ("1.tar", &tar(&[("y.png", &dot), ("x.cls", b"0")]))]);
    assert!(said.starts_with("shard `1.tar`: archive entry `x.cls` is the class of no image"), "{said}");
    let said = says(&[("0.tar", &good), ("1.tar", &good[..700])]);
    assert!(said.starts_with("shard `1.tar`: the archive is damaged"), "{said}");
    let said = says(&[("0.tar", &tar(&[("cat/1.png", &dot)])), ("1.tar", &good)]);
    assert!(said.starts_with("shard `0.tar`: it has folders of classes"), "{said}");
    let said = says(&[("0.tar", &good), ("1.tar", &tar(&[("1.png", &dot)]))]);
    assert!(said.starts_with("shard `1.tar`: it has no labels"), "{said}");
    let said = says(&[("0.tar", &tar(&[("1.png", &dot)])), ("1.tar", &good)]);
    assert!(said.starts_with("shard `1.tar`: it has labels"), "{said}");
    let said = says(&[("0.parquet", &pets(named(&["a", "b"]))), ("1.parquet", &pets(named(&["b", "a"])))]);
    assert!(said.starts_with("shard `1.parquet`: it names its classes otherwise"), "{said}");
    let said = says(&[("0.tar", &gzip(&good))]);
    assert!(said.starts_with("shard `0.tar`: ") && said.contains("its content is of another kind"), "{said}");
    let null = vec![Column::Bytes(vec![Some(dot.clone()), None]), paths(2), wide(&[0, 0])];
    let said = says(&[("0.parquet", &parquet(HUGGING_FACE, plain(), &[null]))]);
    assert!(said.starts_with("shard `0.parquet`: column `image`") && said.contains("image 1"), "{said}");
}

#[test]
fn shards_lie_alone() {
    let (good, dot) = (samples(&[("a", 1, "0")]), grey_png(1, 1, &[0]));
    for other in ["b.parquet", "b.tar.gz", "b.tgz", "b.zip", "b.npz", "b.png", "more/b.tar"] {
        let refused = checked(&folder(&[("0.tar", &good), (other, &dot)])).unwrap_err();
        let named = other.split('/').next().unwrap();
        assert!(matches!(&refused, DataError::BesideShards { entry } if entry == named), "{refused}");
    }
}

#[test]
fn no_shard_stays_open() {
    let content: Vec<(String, Vec<u8>)> =
        (0..600).map(|shard| (format!("{shard:03}.tar"), samples(&[("a", (shard % 256) as u8, "0")]))).collect();
    let content: Vec<(&str, &[u8])> = content.iter().map(|(name, tar)| (name.as_str(), tar.as_slice())).collect();
    let folder = folder(&content);
    let dataset = opened(&folder);
    // Other tests of this process have some files open, too.
    assert!(fs::read_dir("/proc/self/fd").unwrap().count() < 500);
    assert_eq!((dataset.len(), greys(&dataset)[599]), (600, 87.0));
}

#[test]
fn a_shard_that_has_grown_is_not_read() {
    let shards = folder(&[("0.tar", &samples(&[("a", 1, "0")]))]);
    let dataset = opened(&shards);
    fs::write(shards.path().join("0.tar"), [0; 9]).unwrap();
    let refused = dataset.decode(0, &as_stored(1, 1, 1)).unwrap_err().to_string();
    assert!(refused.contains("shard `0.tar`") && refused.contains("written to meanwhile"), "{refused}");
}

#[test]
fn a_sample_is_decoded_and_all_is_counted() {
    let dot = grey_png(1, 1, &[0]);
    let content: Vec<(String, &[u8])> = (0..100)
        .map(|image| (format!("{}/{image:03}.png", image / 50), if image == 51 { b"broken" } else { dot.as_slice() }))
        .collect();
    let content: Vec<(&str, &[u8])> = content.iter().map(|(name, content)| (name.as_str(), *content)).collect();
    let folder = folder(&content);
    let sampled = |images| check_sample(&opened(&folder), images);
    // Of four, images 0, 25, 50 and 75.
    assert_eq!(outline(&sampled(4).unwrap()), (100, 1, 1, 1, vec![("0", 50), ("1", 50)]));
    let broken = sampled(100).unwrap_err();
    assert!(matches!(&broken, DataError::Image { entry, .. } if entry == "1/051.png"), "{broken}");
    assert_eq!(checked(&folder).unwrap_err().to_string(), broken.to_string());
}
