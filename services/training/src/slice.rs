//! Access to the numbers of a tensor, for the operations whose gradients are written by hand.

use candle_core::{CpuStorage, Device, Error, Layout, Result, Storage, Tensor};

/// The values of a contiguous f32 storage.
pub(crate) fn of<'a>(storage: &'a CpuStorage, layout: &Layout, op: &'static str) -> Result<&'a [f32]> {
    let (start, end) = layout
        .contiguous_offsets()
        .ok_or(Error::RequiresContiguous { op })?;
    Ok(&storage.as_slice::<f32>()?[start..end])
}

/// Calls `read` with the values of a tensor in main memory, row-major.
pub(crate) fn with<T>(tensor: &Tensor, read: impl FnOnce(&[f32]) -> Result<T>) -> Result<T> {
    let tensor = tensor.to_device(&Device::Cpu)?.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => read(of(storage, layout, "read")?),
        _ => Err(Error::Msg("a tensor is not in main memory".into())),
    }
}

/// A tensor of `values` in the shape of `like`.
pub(crate) fn tensor(values: Vec<f32>, like: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(values, like.shape(), like.device())
}
