//! Every way in which a dataset can be wrong.

use std::path::PathBuf;

/// Why a dataset cannot be used; each message says what is wrong and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error("cannot read the file of {part}, {}: {source}", path.display())]
    Open { part: &'static str, path: PathBuf, source: std::io::Error },
    #[error("cannot read the file of {part}: {source}")]
    Read { part: &'static str, source: std::io::Error },
    #[error("cannot write a temporary copy of the file of {part}: {source}")]
    Temporary { part: &'static str, source: std::io::Error },
    #[error(
        "the file of {part} is not IDX, NPZ, Parquet or an archive; upload IDX images with a file of IDX labels \
         (gzipped or not), one NPZ with arrays `images` and `labels`, one Parquet file with columns `image` and \
         `label`, or one zip, tar or tar.gz with one folder of PNG or JPEG images per class or, as WebDataset has it, \
         with a `.cls` file beside each image; for images without labels, IDX images or an NPZ array alone, a Parquet \
         file without labels, or an archive without folders"
    )]
    UnknownFormat { part: &'static str },
    #[error("the file of images is {kind}, which includes its labels; upload it alone")]
    UnexpectedLabels { kind: &'static str },
    #[error("the labels are not an IDX file; IDX images need IDX labels")]
    LabelsNotIdx,
    #[error("the gzip stream of the file of {part} is truncated or damaged: {source}")]
    Gzip { part: &'static str, source: std::io::Error },
    #[error("the file of {part} is truncated: its header promises {expected} bytes of data, but it has {found}")]
    Truncated { part: &'static str, expected: u64, found: u64 },
    #[error("the file of {part} has {extra} bytes after the {expected} bytes of data that its header promises")]
    TrailingBytes { part: &'static str, expected: u64, extra: u64 },
    #[error("the {part} have elements of type {found}; expected {expected}")]
    ElementType { part: &'static str, found: String, expected: &'static str },
    #[error("the {part} have shape {shape:?}; expected {expected}")]
    Shape { part: &'static str, shape: Vec<u64>, expected: &'static str },
    #[error("the array of {part} is stored in Fortran order; save it in C order (numpy.ascontiguousarray)")]
    FortranOrder { part: &'static str },
    #[error(
        "the NPZ contains the arrays {found:?}; expected `images` and `labels`, `x` and `y`, or `x_train` and `y_train`, \
         or the first of a pair alone for images without labels"
    )]
    NpzKeys { found: Vec<String> },
    #[error("array `{name}` of the NPZ is not a readable NPY array: {reason}")]
    Npy { name: String, reason: String },
    #[error("there are {images} images but {labels} labels; each image needs one label")]
    LabelCount { images: u64, labels: u64 },
    #[error("image {index} has label {label}; labels must be from 0 to {largest}")]
    LabelOutOfRange { index: u64, label: i64, largest: u64 },
    #[error("there are no images")]
    Empty,
    #[error(
        "class `{class}` of the dataset is not in the class order; add it under this name, or leave the order out to \
         sort the folders by name"
    )]
    NotInOrder { class: String },
    #[error("class `{class}` has no images; remove its folder or add images")]
    EmptyClass { class: String },
    #[error("value {value} in image {index} is not a finite number")]
    NotFinite { index: u64, value: f32 },
    #[error("the archive is damaged or of an unsupported kind: {reason}")]
    Archive { reason: String },
    #[error("entry `{entry}` cannot be read: {reason}")]
    Entry { entry: String, reason: String },
    #[error(
        "entry `{entry}` has a name that points outside the dataset; names must be relative and must not contain `..`"
    )]
    UnsafeName { entry: String },
    #[error("entry `{entry}` is a link or a special file; a dataset may contain only folders and regular files")]
    SpecialEntry { entry: String },
    #[error(
        "entry `{entry}` is not in a class folder; put images in one folder per class, such as `cat/1.png`, \
         with all class folders at the top level or in one common folder"
    )]
    Layout { entry: String },
    #[error(
        "archive entry `{entry}` has no class; in a WebDataset each image `KEY.jpg`, `KEY.jpeg` or `KEY.png` needs a \
         file `KEY.cls` with the index of its class, where KEY ends at the first dot of the file's name"
    )]
    SampleWithoutClass { entry: String },
    #[error(
        "archive entry `{entry}` is the class of no image; in a WebDataset it needs an image `KEY.jpg`, `KEY.jpeg` or \
         `KEY.png` beside it, where KEY ends at the first dot of the file's name"
    )]
    SampleWithoutImage { entry: String },
    #[error(
        "archive entry `{entry}` is not the only image or class of its WebDataset key; each key needs one image and \
         one `.cls` file"
    )]
    SampleTwice { entry: String },
    #[error(
        "archive entry `{entry}` holds {found}; expected the index of a class, a number from 0 to {largest} in digits"
    )]
    SampleClass { entry: String, found: String, largest: u64 },
    #[error("cannot list the folder {}: {source}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("the name of `{entry}` is not UTF-8; rename it")]
    NameNotUtf8 { entry: String },
    #[error(
        "the folder holds no images; expected one folder of PNG or JPEG images per class, or shards: `.tar` files that \
         are WebDatasets, or `.parquet` files"
    )]
    EmptyFolder,
    #[error(
        "`{entry}` lies beside shards; a folder of shards holds either `.tar` files or `.parquet` files, and no folders, \
         images or other archives"
    )]
    BesideShards { entry: String },
    #[error("shard `{shard}`: {source}")]
    Shard { shard: String, source: Box<DataError> },
    #[error(
        "it has folders of classes; the tars of one dataset must be WebDatasets, with a `.cls` file beside each image, or \
         hold images alone, without folders"
    )]
    ShardOfFolders,
    #[error("it {has}, unlike the shards before it; all shards of a dataset must be labelled alike")]
    ShardsDiffer { has: &'static str },
    #[error("the Parquet file is damaged or of an unsupported kind: {reason}")]
    Parquet { reason: String },
    #[error(
        "the Parquet file has no single column of images: it has {found:?}; expected a column `image` of PNG or JPEG \
         files, as a struct with `bytes` or as plain binary values, or one such column of another name"
    )]
    ParquetImages { found: Vec<String> },
    #[error(
        "the Parquet file has the integer columns {found:?}; call the one with the labels `label`, `labels`, \
         `fine_label` or `cls`, or leave out the others"
    )]
    ParquetLabels { found: Vec<String> },
    #[error(
        "column `{column}` of the Parquet file has no value for image {index}; each image needs its PNG or JPEG bytes \
         in the file itself, not only a path, and a label if others have one"
    )]
    ParquetNull { column: String, index: u64 },
    #[error("`{entry}` cannot be read as PNG or JPEG: {reason}")]
    Image { entry: String, reason: String },
    #[error("the dataset unpacks to more than {limit} bytes, which is the limit")]
    UnpackedBytes { limit: u64 },
    #[error("the dataset has more than {limit} images, which is the limit")]
    TooManyImages { limit: u64 },
    #[error("the dataset has {found} classes; the limit is {limit}")]
    TooManyClasses { found: u64, limit: u64 },
    #[error("image `{entry}` has at least {bytes} bytes; the limit is {limit}")]
    ImageBytes { entry: String, bytes: u64, limit: u64 },
    #[error("image `{entry}` is {width}x{height} pixels; the limit is {limit} pixels")]
    Pixels { entry: String, width: u64, height: u64, limit: u64 },
    #[error("image {index} does not exist; the dataset has {images} images")]
    NoSuchImage { index: usize, images: usize },
    #[error(
        "the images have {images} channels and the network takes {network}; only greyscale images can be expanded \
         to 3 channels"
    )]
    Channels { images: usize, network: usize },
    #[error("preprocessing field `{field}` {problem}")]
    Preprocess { field: &'static str, problem: String },
    #[error("`{entry}` cannot be resized to {width}x{height}: {reason}")]
    Resize { entry: String, width: usize, height: usize, reason: String },
    #[error(
        "`{entry}` would have {width}x{height} pixels after its shorter side is resized to {size}; the limit is {limit} pixels"
    )]
    ResizedPixels { entry: String, size: u32, width: u64, height: u64, limit: u64 },
    #[error(
        "{wanted} images are requested ({calibration} calibration, {scoring} scoring, {test} test), \
         but the dataset has {available}"
    )]
    TooFewImages { wanted: u64, calibration: u64, scoring: u64, test: u64, available: u64 },
    #[error("cannot encode a thumbnail: {reason}")]
    Thumbnail { reason: String },
}
