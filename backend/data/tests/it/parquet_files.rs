//! Small Parquet files, made on the spot.

use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;

use crate::support::{colour_png, grey_png, jpeg};

/// As `datasets` has pyarrow write it: everything may be null.
pub const HUGGING_FACE: &str = "message schema {
    optional group image { optional binary bytes; optional binary path (UTF8); }
    optional int64 label;
}";

/// The values of a leaf in a row group; `None` is null.
pub enum Column {
    Bytes(Vec<Option<Vec<u8>>>),
    Narrow(Vec<Option<i32>>),
    Wide(Vec<Option<i64>>),
}

pub fn bytes(values: &[&[u8]]) -> Column {
    Column::Bytes(values.iter().map(|value| Some(value.to_vec())).collect())
}

pub fn wide(values: &[i64]) -> Column {
    Column::Wide(values.iter().copied().map(Some).collect())
}

pub fn paths(count: usize) -> Column {
    Column::Bytes(vec![Some(b"a.png".to_vec()); count])
}

/// A file of row groups, each with its leaves in the order of the schema.
pub fn parquet(schema: &str, properties: WriterPropertiesBuilder, groups: &[Vec<Column>]) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties.build())).unwrap();
    for columns in groups {
        let mut group = writer.next_row_group().unwrap();
        for column in columns {
            let mut leaf = group.next_column().unwrap().unwrap();
            match column {
                Column::Bytes(values) => {
                    let values = values.iter().map(|value| value.clone().map(ByteArray::from)).collect::<Vec<_>>();
                    write::<ByteArrayType>(&mut leaf, &values);
                }
                Column::Narrow(values) => write::<Int32Type>(&mut leaf, values),
                Column::Wide(values) => write::<Int64Type>(&mut leaf, values),
            }
            leaf.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

fn write<T: DataType>(leaf: &mut SerializedColumnWriter<'_>, values: &[Option<T::T>]) {
    let leaf = leaf.typed::<T>();
    let level = leaf.get_descriptor().max_def_level();
    let levels: Vec<i16> = values.iter().map(|value| if value.is_some() { level } else { 0 }).collect();
    let present: Vec<T::T> = values.iter().flatten().cloned().collect();
    leaf.write_batch(&present, Some(&levels), None).unwrap();
}

pub fn plain() -> WriterPropertiesBuilder {
    WriterProperties::builder()
}

/// What `datasets` notes of a column of classes.
pub fn named(names: &[&str]) -> WriterPropertiesBuilder {
    let label = serde_json::json!({ "names": names, "_type": "ClassLabel" });
    let features = serde_json::json!({ "image": { "_type": "Image" }, "label": label });
    noted(&serde_json::json!({ "info": { "features": features } }).to_string())
}

pub fn noted(note: &str) -> WriterPropertiesBuilder {
    plain().set_key_value_metadata(Some(vec![KeyValue::new("huggingface".to_owned(), note.to_owned())]))
}

/// Each way to pack pages that is read.
pub fn packings() -> [Compression; 4] {
    let zstd = Compression::ZSTD(ZstdLevel::default());
    [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::GZIP(Default::default()), zstd]
}

/// Two cats and a dog in two row groups, as `datasets` would write them.
pub fn pets(properties: WriterPropertiesBuilder) -> Vec<u8> {
    let first = vec![bytes(&[&grey_png(2, 1, &[30, 40]), &jpeg(2, 1, 200)]), paths(2), wide(&[1, 0])];
    let second = vec![bytes(&[&colour_png(2, 1, [1, 2, 3])]), paths(1), wide(&[0])];
    parquet(HUGGING_FACE, properties, &[first, second])
}
