//! The values of a column, one after the other through all row groups.

use ::parquet::data_type::DataType;
use ::parquet::file::reader::{FileReader, SerializedFileReader};

use crate::error::DataError;
use crate::limits::Limits;
use crate::parquet::source::Source;
use crate::parquet::{damaged, pages};
use crate::storage::{Budget, Storage};

pub struct Rows<'a> {
    pub file: &'a SerializedFileReader<Source>,
    pub storage: &'a Storage,
    pub limits: &'a Limits,
}

impl Rows<'_> {
    /// Gives each row's value of a leaf to `take`, in order; `None` where it is null. `at_once` values are in memory at a time, beside a
    /// page and its dictionary. `work` pays for the unpacked bytes of the pages.
    pub fn each<T: DataType>(
        &self,
        leaf: usize,
        at_once: usize,
        work: &mut Budget,
        mut take: impl FnMut(Option<&T::T>) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let present = self.file.metadata().file_metadata().schema_descr().column(leaf).max_def_level();
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        for group in 0..self.file.num_row_groups() {
            let group = self.file.get_row_group(group).map_err(damaged)?;
            pages::check(self.storage, group.metadata().column(leaf), self.limits, work)?;
            let reader = group.get_column_reader(leaf).map_err(damaged)?;
            let mut reader = T::get_column_reader(reader).ok_or_else(|| damaged("a column has two types"))?;
            let mut left = usize::try_from(group.metadata().num_rows()).map_err(damaged)?;
            while left > 0 {
                levels.clear();
                values.clear();
                let read = reader.read_records(left.min(at_once), Some(&mut levels), None, &mut values);
                let (rows, found, _) = read.map_err(damaged)?;
                if rows == 0 {
                    return Err(damaged(format!("a row group has {left} rows fewer than it promises")));
                }
                left -= rows;
                let mut found = values[..found].iter();
                // Where a value must be there, no levels are stored.
                let are_present = (0..rows).map(|row| levels.get(row).is_none_or(|&level| level == present));
                are_present.map(|is_present| if is_present { found.next() } else { None }).try_for_each(&mut take)?;
            }
        }
        Ok(())
    }
}
