//! A device that fails while it computes: burn and its drivers panic, sometimes on threads of their own and long after the
//! call that asked for too much. A command runs under [`guard`], which turns what can be understood into an error.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};
use std::sync::{Mutex, Once, PoisonError};

use burn::tensor::Tensor;

/// What to do when a GPU's memory is full.
const ADVICE: &str = "the GPU ran out of memory. Lower what it holds at once: pretrain.grpo.tokens_at_once and correct.grpo.tokens_at_once \
(training), llm.rows (sampling), reward.batch_windows (ranking model), or set pretrain.trainer.recompute and \
correct.trainer.recompute to true. Add it with --set to the same command: the language model's stages go on from their last \
checkpoint. llm.dtype=bfloat16 halves the weights, and begins these stages anew. `curec pretrain --dry-run` measures a step";

/// The memory failure of this process, as its cause told it.
static FULL: Mutex<Option<String>> = Mutex::new(None);

/// How the libraries say that memory is full: cubecl, wgpu, CUDA, Vulkan.
const SIGNS: [&str; 7] = [
    "out of memory",
    "out-of-memory",
    "outofmemory",
    "out_of_memory",
    "not enough memory",
    "out of device memory",
    "can't allocate buffer",
];

/// Whether a message speaks of full memory.
fn is_full(message: &str) -> bool {
    let message = message.to_lowercase();
    SIGNS.iter().any(|sign| message.contains(sign))
}

/// Reads a tensor's numbers from its device.
///
/// # Panics
/// The device fails. Under [`guard`] full memory becomes an error.
pub fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    match tensor.try_into_vec_as::<f32>() {
        Ok(values) => values,
        Err(error) => panic!("the device does not hand over its numbers: {error}"),
    }
}

/// Runs a command; full memory of a device, panic or error, becomes an error that says what to lower. Other panics go on.
///
/// # Errors
/// Those of `work`, and full memory.
pub fn guard<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            let message = panic.payload_as_str().unwrap_or_default();
            if is_full(message) {
                let first = message.lines().next().unwrap_or_default().to_owned();
                FULL.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .get_or_insert(first);
            }
            // What follows from full memory would only hide it.
            if full().is_none() {
                before(panic);
            }
        }));
    });
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Err(error)) if is_full(&format!("{error:#}")) => Err(error.context(ADVICE)),
        Ok(outcome) => outcome,
        Err(panic) => match FULL.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(cause) => Err(anyhow::anyhow!(cause).context(ADVICE)),
            None => resume_unwind(panic),
        },
    }
}

fn full() -> Option<String> {
    FULL.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_memory_is_known_in_every_library_s_words() {
        for message in [
            "out of device memory allocating 4096 bytes\nbacktrace",
            "wgpu error: Out of Memory\n\nCaused by: ...",
            "In Device::create_buffer\n    Not enough memory left.",
            "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")",
            "can't allocate buffer of size: 1099511627776",
        ] {
            assert!(is_full(message), "{message}");
        }
        assert!(!is_full(
            "index out of bounds: the len is 3 but the index is 3"
        ));
    }

    #[test]
    fn errors_and_panics_about_memory_say_what_to_lower() {
        let error = guard(|| -> anyhow::Result<()> { anyhow::bail!("Not enough memory left.") });
        let text = format!("{:#}", error.unwrap_err());
        assert!(
            text.contains("tokens_at_once") && text.ends_with("Not enough memory left."),
            "{text}"
        );
        let error = guard(|| -> anyhow::Result<()> { anyhow::bail!("no such user") });
        assert_eq!(format!("{:#}", error.unwrap_err()), "no such user");
        // A thread of the driver tells the cause, this one only that the other is gone.
        let error = guard(|| -> anyhow::Result<()> {
            let other =
                std::thread::spawn(|| panic!("out of device memory allocating 8 bytes\nmore"));
            let _ = other.join();
            panic!("channel closed")
        });
        let text = format!("{:#}", error.unwrap_err());
        assert!(
            text.contains("llm.rows") && text.ends_with("allocating 8 bytes"),
            "{text}"
        );
    }
}
