//! PyTorch's two containers of a pickle and its numbers: the zip file since 2020, and the plain one before.

use std::collections::BTreeMap;
use std::ops::Range;

use super::pickle::{Element, Id, Pickle, StorageRef, TensorRef, Value};
use super::zip;
use super::{CheckpointError, Entry};

/// The number that begins every file of the old format (`torch/serialization.py`, `MAGIC_NUMBER`
/// 0x1950a86a20f9469cfc6c), as its little-endian bytes.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// The only version that the old format ever had (`PROTOCOL_VERSION`).
const VERSION: i64 = 1001;
/// Longest `data.pkl` of a zip file: that of a BERT has some 50 KB.
const LONGEST_PICKLE: usize = 16 << 20;

/// The tensors of `pytorch_model.bin` in either format.
pub(super) fn entries(bytes: &[u8]) -> Result<BTreeMap<String, Entry>, CheckpointError> {
    if bytes.starts_with(b"PK\x03\x04") {
        of_zip(bytes)
    } else if bytes.starts_with(b"\x80") {
        of_legacy(bytes)
    } else {
        Err(CheckpointError::Unknown)
    }
}

fn of_zip(bytes: &[u8]) -> Result<BTreeMap<String, Entry>, CheckpointError> {
    let files = zip::files(bytes)?;
    let pickle_name = files
        .keys()
        .find(|name| *name == "data.pkl" || name.ends_with("/data.pkl"))
        .ok_or(CheckpointError::Unknown)?;
    let folder = pickle_name.trim_end_matches("data.pkl");
    let order = files.get(&format!("{folder}byteorder"));
    if order.is_some_and(|order| bytes[order.clone()] != *b"little") {
        return Err(CheckpointError::BigEndian);
    }
    let range = files[pickle_name].clone();
    if range.len() > LONGEST_PICKLE {
        return Err(CheckpointError::Torch("its pickle is too long"));
    }
    let pickle = Pickle::read(&bytes[range])?;
    tensors(&pickle, |storage| {
        let file = files
            .get(&format!("{folder}data/{}", storage.key))
            .ok_or(CheckpointError::Torch("a storage is missing"))?;
        Ok(file.clone())
    })
}

/// Three small pickles (magic number, version, what the machine was like), the object, the list of its storages' keys,
/// then for each storage its length as eight bytes and its elements (`torch/serialization.py`, `_legacy_save`).
fn of_legacy(bytes: &[u8]) -> Result<BTreeMap<String, Entry>, CheckpointError> {
    let mut at = 0;
    let mut next = || -> Result<Pickle, CheckpointError> {
        let pickle = Pickle::read(&bytes[at..])?;
        at += pickle.length;
        Ok(pickle)
    };
    let magic = next()?;
    if *magic.root() != Value::Long(MAGIC.to_vec()) {
        return Err(CheckpointError::Unknown);
    }
    if *next()?.root() != Value::Integer(VERSION) {
        return Err(CheckpointError::Torch("its version is unknown"));
    }
    let machine = next()?;
    let Value::Dict(facts) = machine.root() else {
        return Err(CheckpointError::Torch("it does not say which machine wrote it"));
    };
    for &(key, value) in facts {
        if machine.text(key) == Some("little_endian") && *machine.get(value) != Value::Bool(true) {
            return Err(CheckpointError::BigEndian);
        }
    }
    let object = next()?;
    let keys = next()?;
    let Value::List(keys_in_order) = keys.root() else {
        return Err(CheckpointError::Torch("it has no list of storages"));
    };
    let sizes = storages(&object)?;
    let mut places: BTreeMap<&str, Range<usize>> = BTreeMap::new();
    for &key in keys_in_order {
        let key = keys
            .text(key)
            .ok_or(CheckpointError::Torch("a storage's key is no text"))?;
        let (element, length) = sizes
            .get(key)
            .ok_or(CheckpointError::Torch("a storage belongs to nothing"))?;
        let start = at.checked_add(8).ok_or(CheckpointError::Short)?;
        let said = bytes.get(at..start).ok_or(CheckpointError::Short)?;
        if said != (*length as u64).to_le_bytes() {
            return Err(CheckpointError::Torch(
                "a storage has another length than was said",
            ));
        }
        let end = length
            .checked_mul(element.size())
            .and_then(|size| start.checked_add(size))
            .filter(|&end| end <= bytes.len())
            .ok_or(CheckpointError::Short)?;
        places.insert(key, start..end);
        at = end;
    }
    tensors(&object, |storage| {
        places
            .get(storage.key.as_str())
            .cloned()
            .ok_or(CheckpointError::Torch("a storage is missing"))
    })
}

/// Name and value of each tensor of the object, which is a dictionary or has one as `state_dict`.
fn named(pickle: &Pickle) -> Result<Vec<(&str, &TensorRef)>, CheckpointError> {
    fn dictionary(value: &Value) -> Option<&[(Id, Id)]> {
        match value {
            Value::Dict(pairs) => Some(pairs),
            _ => None,
        }
    }
    let none = || CheckpointError::Torch("it is no dictionary of tensors");
    let mut pairs = dictionary(pickle.root()).ok_or_else(none)?;
    let inner = pairs
        .iter()
        .find(|(key, _)| matches!(pickle.text(*key), Some("state_dict" | "model_state_dict")))
        .and_then(|&(_, value)| dictionary(pickle.get(value)));
    if let Some(inner) = inner {
        pairs = inner;
    }
    let found: Vec<_> = pairs
        .iter()
        .filter_map(|&(key, value)| match (pickle.text(key), pickle.get(value)) {
            (Some(name), Value::Tensor(tensor)) => Some((name, tensor)),
            _ => None,
        })
        .collect();
    if found.is_empty() { Err(none()) } else { Ok(found) }
}

/// Element type and length of each storage of the old format, which must be the same wherever it is named.
fn storages(pickle: &Pickle) -> Result<BTreeMap<&str, (Element, usize)>, CheckpointError> {
    let mut sizes = BTreeMap::new();
    for (_, tensor) in named(pickle)? {
        let storage = &tensor.storage;
        let size = (storage.element, storage.length);
        if *sizes.entry(storage.key.as_str()).or_insert(size) != size {
            return Err(CheckpointError::Torch("a storage has two lengths"));
        }
    }
    Ok(sizes)
}

fn tensors(
    pickle: &Pickle,
    place: impl Fn(&StorageRef) -> Result<Range<usize>, CheckpointError>,
) -> Result<BTreeMap<String, Entry>, CheckpointError> {
    let mut entries = BTreeMap::new();
    for (name, tensor) in named(pickle)? {
        let entry = Entry {
            element: tensor.storage.element,
            place: place(&tensor.storage)?,
            offset: tensor.offset,
            shape: tensor.shape.clone(),
            strides: tensor.strides.clone(),
        };
        entries.insert(name.to_owned(), entry);
    }
    Ok(entries)
}
