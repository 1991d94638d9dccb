//! Element types as the file numbers them.

use eagleeye_graph::ElementType;

use crate::proto::tensor_proto::DataType;

pub(crate) fn data_type(element: ElementType) -> DataType {
    match element {
        ElementType::F16 => DataType::Float16,
        ElementType::Bf16 => DataType::Bfloat16,
        ElementType::F32 => DataType::Float,
        ElementType::F64 => DataType::Double,
        ElementType::U8 => DataType::Uint8,
        ElementType::I8 => DataType::Int8,
        ElementType::I16 => DataType::Int16,
        ElementType::I32 => DataType::Int32,
        ElementType::I64 => DataType::Int64,
        ElementType::Bool => DataType::Bool,
    }
}
