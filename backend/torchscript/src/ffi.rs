//! The only `unsafe` code: calls into the C++ shim (`cpp/torchscript.h`).
//!
//! The shim catches every C++ exception and returns it as a message, so nothing unwinds across the border.

#![allow(unsafe_code)]

pub(super) mod compute;
pub(super) mod layers;

use std::ffi::{CString, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::path::Path;
use std::ptr;

use tch::Tensor;

#[repr(C)]
struct RawModule {
    _opaque: [u8; 0],
}

#[repr(C)]
struct RawBuilder {
    _opaque: [u8; 0],
}

unsafe extern "C" {
    fn ee_free_message(message: *mut c_char);
    fn ee_module_load(
        path: *const c_char,
        extra_names: *const *const c_char,
        extra_count: usize,
        module: *mut *mut RawModule,
    ) -> *mut c_char;
    fn ee_module_description(module: *const RawModule, length: *mut usize) -> *const c_char;
    fn ee_module_tensor_count(module: *const RawModule) -> usize;
    fn ee_module_tensor(module: *const RawModule, index: usize, tensor: *mut *mut c_void) -> *mut c_char;
    fn ee_module_free(module: *mut RawModule);
    fn ee_builder_new(builder: *mut *mut RawBuilder) -> *mut c_char;
    fn ee_builder_tensor(
        builder: *mut RawBuilder,
        path: *const c_char,
        kind: c_int,
        tensor: *const c_void,
    ) -> *mut c_char;
    fn ee_builder_define(builder: *mut RawBuilder, source: *const c_char) -> *mut c_char;
    fn ee_builder_save(
        builder: *mut RawBuilder,
        path: *const c_char,
        names: *const *const c_char,
        values: *const *const c_char,
        lengths: *const usize,
        count: usize,
    ) -> *mut c_char;
    fn ee_builder_free(builder: *mut RawBuilder);
    fn ee_gpu_gradients(are_on: c_int) -> *mut c_char;
    fn ee_mixed_precision_enter() -> *mut c_char;
    fn ee_mixed_precision_leave() -> *mut c_char;
}

/// Takes a message of the shim: null is success.
fn check(message: *mut c_char) -> Result<(), String> {
    if message.is_null() {
        return Ok(());
    }
    // SAFETY: the shim returns null or a zero-terminated string of its own, which is freed exactly once here.
    let text = unsafe { std::ffi::CStr::from_ptr(message) }.to_string_lossy().into_owned();
    // SAFETY: as above; `text` is a copy.
    unsafe { ee_free_message(message) };
    Err(brief(&text))
}

/// The lines of a libtorch message that say something to a user: no stack trace of C++ frames.
fn brief(text: &str) -> String {
    let end = text.find("\nException raised from").unwrap_or(text.len());
    let lines: Vec<&str> = text[..end].lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    lines.join(" ").chars().take(600).collect()
}

fn c_string(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|_| format!("`{}` contains a zero byte", text.escape_default()))
}

fn c_path(path: &Path) -> Result<CString, String> {
    CString::new(path.as_os_str().as_encoded_bytes()).map_err(|_| "the path contains a zero byte".to_owned())
}

/// A module that was loaded and described; nothing of it was run.
pub(super) struct LoadedModule {
    raw: *mut RawModule,
}

// SAFETY: the shim's object is touched by one thread at a time (no method takes `&self` on two threads, it is not `Sync`).
unsafe impl Send for LoadedModule {}

impl LoadedModule {
    /// Loads a file with the named extra files.
    pub fn load(path: &Path, extra_names: &[String]) -> Result<Self, String> {
        let path = c_path(path)?;
        let names = extra_names.iter().map(|n| c_string(n)).collect::<Result<Vec<_>, _>>()?;
        let pointers: Vec<*const c_char> = names.iter().map(|n| n.as_ptr()).collect();
        let mut raw = ptr::null_mut();
        // SAFETY: all pointers are to live, zero-terminated strings; `raw` is set only on success.
        check(unsafe { ee_module_load(path.as_ptr(), pointers.as_ptr(), pointers.len(), &raw mut raw) })?;
        Ok(Self { raw })
    }

    /// The JSON of [`super::description::Description`].
    pub fn description(&self) -> &[u8] {
        let mut length = 0;
        // SAFETY: the text lives as long as the module, which `&self` borrows, and has `length` bytes.
        unsafe {
            let text = ee_module_description(self.raw, &raw mut length);
            std::slice::from_raw_parts(text.cast(), length)
        }
    }

    /// The tensors that the description counts, sharing the module's storage.
    pub fn tensors(&self) -> Result<Vec<Tensor>, String> {
        // SAFETY: `raw` is a live module.
        let count = unsafe { ee_module_tensor_count(self.raw) };
        (0..count).map(|index| self.tensor(index)).collect()
    }

    fn tensor(&self, index: usize) -> Result<Tensor, String> {
        let mut tensor = ptr::null_mut();
        // SAFETY: `raw` is a live module; the shim checks the index and sets `tensor` only on success.
        check(unsafe { ee_module_tensor(self.raw, index, &raw mut tensor) })?;
        // SAFETY: the shim gives away a heap-allocated `at::Tensor`, which is what tch owns and frees.
        Ok(unsafe { Tensor::from_ptr(tensor.cast()) })
    }
}

impl Drop for LoadedModule {
    fn drop(&mut self) {
        // SAFETY: `raw` came from `ee_module_load` and is freed once.
        unsafe { ee_module_free(self.raw) };
    }
}

/// While there is one, mixed precision on a GPU is in bfloat16, whose range needs no scaled loss, and gradients there are computed
/// by algorithms that add in the same order each time, where there are such algorithms. The settings are the process's: two at a
/// time end with the first.
#[derive(Debug)]
pub struct GpuGradients(());

impl GpuGradients {
    /// # Errors
    /// libtorch's own message.
    pub fn begin() -> Result<Self, String> {
        // SAFETY: takes a number and sets libtorch's own settings.
        check(unsafe { ee_gpu_gradients(1) })?;
        Ok(Self(()))
    }
}

impl Drop for GpuGradients {
    fn drop(&mut self) {
        // SAFETY: as above. It sets what it has set before, so that it cannot fail.
        let _ = check(unsafe { ee_gpu_gradients(0) });
    }
}

/// While there is one, its thread computes on a GPU in the mixed precision of [`GpuGradients`]. It cannot go to another thread.
#[derive(Debug)]
pub struct MixedPrecision(PhantomData<*const ()>);

impl MixedPrecision {
    /// # Errors
    /// libtorch's own message.
    pub fn begin() -> Result<Self, String> {
        // SAFETY: sets libtorch's own settings of this thread.
        check(unsafe { ee_mixed_precision_enter() })?;
        Ok(Self(PhantomData))
    }
}

impl Drop for MixedPrecision {
    fn drop(&mut self) {
        // SAFETY: as above. It takes back what has been set, so that it cannot fail.
        let _ = check(unsafe { ee_mixed_precision_leave() });
    }
}

/// What a tensor is registered as.
#[derive(Clone, Copy, Debug)]
pub enum Slot {
    Parameter = 0,
    Buffer = 1,
    Attribute = 2,
}

/// A module under construction: tensors by their paths, then methods in source text. Every error is libtorch's own message.
pub struct ModuleBuilder {
    raw: *mut RawBuilder,
}

impl ModuleBuilder {
    pub fn new() -> Result<Self, String> {
        let mut raw = ptr::null_mut();
        // SAFETY: `raw` is set only on success.
        check(unsafe { ee_builder_new(&raw mut raw) })?;
        Ok(Self { raw })
    }

    /// Registers a tensor under a dotted path.
    pub fn tensor(&mut self, path: &str, slot: Slot, tensor: &Tensor) -> Result<(), String> {
        let path = c_string(path)?;
        // SAFETY: the builder is live; the shim copies the `at::Tensor` (which shares its storage) and keeps no pointer.
        check(unsafe { ee_builder_tensor(self.raw, path.as_ptr(), slot as c_int, tensor.as_ptr().cast()) })
    }

    /// Compiles methods of the root module.
    pub fn define(&mut self, source: &str) -> Result<(), String> {
        let source = c_string(source)?;
        // SAFETY: the builder and the string are live.
        check(unsafe { ee_builder_define(self.raw, source.as_ptr()) })
    }

    /// Writes the file with extra files `(name, content)`.
    pub fn save(&self, path: &Path, extra_files: &[(String, String)]) -> Result<(), String> {
        let path = c_path(path)?;
        let owned = extra_files.iter().map(|(name, _)| c_string(name)).collect::<Result<Vec<_>, _>>()?;
        let names: Vec<*const c_char> = owned.iter().map(|n| n.as_ptr()).collect();
        let values: Vec<*const c_char> = extra_files.iter().map(|(_, value)| value.as_ptr().cast()).collect();
        let lengths: Vec<usize> = extra_files.iter().map(|(_, value)| value.len()).collect();
        // SAFETY: the three arrays have the same length; names are zero-terminated, values have the stated lengths.
        check(unsafe {
            ee_builder_save(
                self.raw,
                path.as_ptr(),
                names.as_ptr(),
                values.as_ptr(),
                lengths.as_ptr(),
                extra_files.len(),
            )
        })
    }
}

impl Drop for ModuleBuilder {
    fn drop(&mut self) {
        // SAFETY: `raw` came from `ee_builder_new` and is freed once.
        unsafe { ee_builder_free(self.raw) };
    }
}
