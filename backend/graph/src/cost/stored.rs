//! A cost model as JSON: each size once, as numbers in a row.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CostModel, Size, Term};

/// Why a stored cost model is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CostModelFault {
    #[error("group {group} of the cost model has no units; it must have at least 1")]
    NoUnits { group: usize },
    #[error(
        "size {size} of the cost model is a list of {length} numbers; it must be a constant and pairs of a group and its channels"
    )]
    SizeLength { size: usize, length: usize },
    #[error("size {size} of the cost model names group {group}; there are {groups}")]
    NoSuchGroup { size: usize, group: u64, groups: usize },
    #[error("size {size} of the cost model has more channels than can be counted")]
    SizeTooLarge { size: usize },
    #[error("term {term} of the cost model's {of} is an empty list; it must begin with a constant")]
    NoConstant { of: &'static str, term: usize },
    #[error("term {term} of the cost model's {of} names size {size}; there are {sizes}")]
    NoSuchSize { of: &'static str, term: usize, size: u64, sizes: usize },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StoredCost {
    /// Units of each prunable group.
    units: Vec<usize>,
    /// `[constant, group, channels, group, channels, ...]` each.
    sizes: Vec<Vec<u64>>,
    /// `[constant, size, size, ...]` each, as `parameters` too.
    macs: Vec<Vec<u64>>,
    parameters: Vec<Vec<u64>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    buffers: Vec<Vec<u64>>,
}

impl From<CostModel> for StoredCost {
    fn from(model: CostModel) -> Self {
        let mut table = Table::default();
        let macs = model.macs.iter().map(|term| table.term(term)).collect();
        let parameters = model.parameters.iter().map(|term| table.term(term)).collect();
        let buffers = model.buffers.iter().map(|term| table.term(term)).collect();
        Self { units: model.full, sizes: table.sizes, macs, parameters, buffers }
    }
}

/// The sizes that terms name by their place.
#[derive(Default)]
struct Table {
    places: BTreeMap<Vec<u64>, u64>,
    sizes: Vec<Vec<u64>>,
}

impl Table {
    fn term(&mut self, term: &Term) -> Vec<u64> {
        std::iter::once(term.constant).chain(term.sizes.iter().map(|size| self.place(size))).collect()
    }

    fn place(&mut self, size: &Size) -> u64 {
        let shares = size.shares.iter().flat_map(|&(group, channels, _)| [group as u64, channels]);
        let row: Vec<u64> = std::iter::once(size.constant).chain(shares).collect();
        let next = self.sizes.len() as u64;
        *self.places.entry(row).or_insert_with_key(|row| {
            self.sizes.push(row.clone());
            next
        })
    }
}

impl TryFrom<StoredCost> for CostModel {
    type Error = CostModelFault;

    fn try_from(stored: StoredCost) -> Result<Self, CostModelFault> {
        if let Some(group) = stored.units.iter().position(|&units| units == 0) {
            return Err(CostModelFault::NoUnits { group });
        }
        let sizes = stored.sizes.iter().enumerate().map(|(place, row)| size(place, row, &stored.units));
        let sizes = sizes.collect::<Result<Vec<_>, _>>()?;
        let macs = terms("macs", &stored.macs, &sizes)?;
        let parameters = terms("parameters", &stored.parameters, &sizes)?;
        let buffers = terms("buffers", &stored.buffers, &sizes)?;
        Ok(Self { macs, parameters, buffers, full: stored.units, time: None })
    }
}

/// A size whose arithmetic cannot overflow, whatever is kept.
fn size(size: usize, row: &[u64], units: &[usize]) -> Result<Size, CostModelFault> {
    let odd = || CostModelFault::SizeLength { size, length: row.len() };
    let (&constant, shares) = row.split_first().ok_or_else(odd)?;
    let (pairs, []) = shares.as_chunks::<2>() else { return Err(odd()) };
    let mut all = Some(constant);
    let mut shares = Vec::with_capacity(pairs.len());
    for &[group, channels] in pairs {
        let place = usize::try_from(group).ok().filter(|&place| place < units.len());
        let place = place.ok_or(CostModelFault::NoSuchGroup { size, group, groups: units.len() })?;
        let of_group = units[place] as u64;
        all = all.and_then(|sum| channels.checked_mul(of_group)?.checked_add(sum));
        shares.push((place, channels, of_group));
    }
    all.ok_or(CostModelFault::SizeTooLarge { size })?;
    Ok(Size { constant, shares })
}

fn terms(of: &'static str, rows: &[Vec<u64>], sizes: &[Size]) -> Result<Vec<Term>, CostModelFault> {
    rows.iter().enumerate().map(|(place, row)| term(of, place, row, sizes)).collect()
}

fn term(of: &'static str, term: usize, row: &[u64], sizes: &[Size]) -> Result<Term, CostModelFault> {
    let (&constant, named) = row.split_first().ok_or(CostModelFault::NoConstant { of, term })?;
    let named = named.iter().map(|&size| {
        let found = usize::try_from(size).ok().and_then(|place| sizes.get(place));
        found.cloned().ok_or(CostModelFault::NoSuchSize { of, term, size, sizes: sizes.len() })
    });
    Ok(Term { constant, sizes: named.collect::<Result<_, _>>()? })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::strategy::Strategy;

    /// Two groups of 8 and 4 units: a layer that makes the first, and one that reads it and makes the second.
    fn document() -> Value {
        json!({
            "units": [8, 4], "sizes": [[0, 0, 8], [1, 0, 16], [0, 1, 4]],
            "macs": [[900, 0], [100, 1, 2]], "parameters": [[27, 0], [9, 1, 2], [5]],
        })
    }

    fn read(document: Value) -> Result<CostModel, String> {
        serde_json::from_value(document).map_err(|error: serde_json::Error| error.to_string())
    }

    #[test]
    fn a_model_that_is_read_counts_as_the_one_that_was_written() {
        let model = read(document()).unwrap();
        let strategy = Strategy { keep: vec![2, 3] };
        assert_eq!(model.macs(&strategy), 900 * 2 + 100 * (1 + 4) * 3);
        assert_eq!(model.parameters(&strategy), 27 * 2 + 9 * (1 + 4) * 3 + 5);
        assert_eq!(model.full(), Strategy { keep: vec![8, 4] });
        assert_eq!(serde_json::to_value(&model).unwrap(), document());
    }

    #[test]
    fn a_damaged_model_is_refused() {
        let cases = [
            ("/units/1", json!(0), "group 1 of the cost model has no units"),
            ("/sizes/1", json!([]), "size 1 of the cost model is a list of 0 numbers"),
            ("/sizes/1", json!([1, 0]), "size 1 of the cost model is a list of 2 numbers"),
            ("/sizes/0/1", json!(2), "size 0 of the cost model names group 2; there are 2"),
            ("/sizes/2/2", json!(u64::MAX), "size 2 of the cost model has more channels"),
            ("/macs/0", json!([]), "term 0 of the cost model's macs is an empty list"),
            ("/parameters/1/2", json!(3), "term 1 of the cost model's parameters names size 3; there are 3"),
            ("/macs/0/0", json!(-1), "invalid value: integer `-1`"),
        ];
        for (place, value, reason) in cases {
            let mut damaged = document();
            *damaged.pointer_mut(place).unwrap() = value;
            let error = read(damaged).unwrap_err();
            assert!(error.contains(reason), "{place}: {error}");
        }
    }

    #[test]
    fn sums_beyond_all_numbers_end_at_the_largest() {
        let mut huge = document();
        huge["macs"] = json!([[u64::MAX, 0], [u64::MAX, 1]]);
        huge["parameters"] = huge["macs"].clone();
        let model = read(huge).unwrap();
        assert_eq!((model.macs(&model.full()), model.parameters(&model.full())), (u64::MAX, u64::MAX));
    }
}
