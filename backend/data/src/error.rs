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
        "the file of {part} is neither IDX, NPZ nor an archive; wanted are IDX images with a file of IDX labels \
         (gzipped or not), one NPZ with arrays `images` and `labels`, or one zip, tar or tar.gz with a folder per \
         class of PNG or JPEG images"
    )]
    UnknownFormat { part: &'static str },
    #[error("the images are an IDX file, which needs a second file with the labels")]
    MissingLabels,
    #[error("the file of images is {kind}, which brings its own labels; upload it alone")]
    UnexpectedLabels { kind: &'static str },
    #[error("the labels are not an IDX file; IDX images need IDX labels")]
    LabelsNotIdx,
    #[error("the gzip stream of the file of {part} is cut off or damaged: {source}")]
    Gzip { part: &'static str, source: std::io::Error },
    #[error("the file of {part} is cut off: its header promises {expected} bytes of data, but {found} are there")]
    Truncated { part: &'static str, expected: u64, found: u64 },
    #[error("the file of {part} has {extra} bytes behind the {expected} bytes of data that its header promises")]
    TrailingBytes { part: &'static str, expected: u64, extra: u64 },
    #[error("the {part} have elements of type {found}; wanted is {expected}")]
    ElementType { part: &'static str, found: String, expected: &'static str },
    #[error("the {part} have shape {shape:?}; wanted is {expected}")]
    Shape { part: &'static str, shape: Vec<u64>, expected: &'static str },
    #[error("the array of {part} is stored in Fortran order; save it in C order (numpy.ascontiguousarray)")]
    FortranOrder { part: &'static str },
    #[error(
        "the NPZ holds the arrays {found:?}; wanted are `images` and `labels`, `x` and `y`, or `x_train` and `y_train`"
    )]
    NpzKeys { found: Vec<String> },
    #[error("array `{name}` of the NPZ is not a readable NPY array: {reason}")]
    Npy { name: String, reason: String },
    #[error("there are {images} images but {labels} labels; each image needs one label")]
    LabelCount { images: u64, labels: u64 },
    #[error("image {index} has label {label}; labels count from 0 to at most {largest}")]
    LabelOutOfRange { index: u64, label: i64, largest: u64 },
    #[error("there are no images")]
    Empty,
    #[error("class `{class}` has no images; remove its folder or fill it")]
    EmptyClass { class: String },
    #[error("value {value} in image {index} is not a finite number")]
    NotFinite { index: u64, value: f32 },
    #[error("the archive is damaged or of an unsupported kind: {reason}")]
    Archive { reason: String },
    #[error("archive entry `{entry}` cannot be unpacked: {reason}")]
    Entry { entry: String, reason: String },
    #[error("archive entry `{entry}` has a name that leads out of the archive; names must be relative, without `..`")]
    UnsafeName { entry: String },
    #[error("archive entry `{entry}` is a link or a special file; only folders and plain files may be in a dataset")]
    SpecialEntry { entry: String },
    #[error(
        "archive entry `{entry}` is not in a class folder; images lie in one folder per class, such as `cat/1.png`, \
         all of these at the top or in one common folder"
    )]
    Layout { entry: String },
    #[error("`{entry}` is neither PNG nor JPEG, nor can it be read as such: {reason}")]
    Image { entry: String, reason: String },
    #[error("the dataset unpacks to more than {limit} bytes, which is the limit")]
    UnpackedBytes { limit: u64 },
    #[error("the dataset has more than {limit} images, which is the limit")]
    TooManyImages { limit: u64 },
    #[error("the dataset has {found} classes; the limit is {limit}")]
    TooManyClasses { found: u64, limit: u64 },
    #[error("image `{entry}` has {bytes} bytes or more; the limit is {limit}")]
    ImageBytes { entry: String, bytes: u64, limit: u64 },
    #[error("image `{entry}` is {width}x{height} pixels; the limit is {limit} pixels")]
    Pixels { entry: String, width: u64, height: u64, limit: u64 },
    #[error("there is no image {index}; the dataset has {images}")]
    NoSuchImage { index: usize, images: usize },
    #[error("the images have {images} channels and the network takes {network}; only grey images can be expanded to 3")]
    Channels { images: usize, network: usize },
    #[error("preprocessing field `{field}` {problem}")]
    Preprocess { field: &'static str, problem: String },
    #[error("`{entry}` cannot be resized to {width}x{height}: {reason}")]
    Resize { entry: String, width: usize, height: usize, reason: String },
    #[error(
        "{wanted} images are wanted ({calibration} calibration, {scoring} scoring, {test} test), \
         but the dataset has {available}"
    )]
    TooFewImages { wanted: u64, calibration: u64, scoring: u64, test: u64, available: u64 },
    #[error("cannot encode a thumbnail: {reason}")]
    Thumbnail { reason: String },
}
