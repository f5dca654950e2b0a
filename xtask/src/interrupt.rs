//! Ctrl-C: the terminal sends it to the program at work too, which may want to reach a checkpoint before it ends.

use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::{Context, Result};

const LEAVE: u8 = 0;
const WAIT_FOR_CHILD: u8 = 1;
const SERVING: u8 = 2;

static WHAT_TO_DO: AtomicU8 = AtomicU8::new(LEAVE);

/// Takes over Ctrl-C; to be called once.
pub fn install() -> Result<()> {
    ctrlc::set_handler(|| {
        // A second Ctrl-C leaves in any case.
        match WHAT_TO_DO.swap(LEAVE, Ordering::SeqCst) {
            WAIT_FOR_CHILD => {
                eprintln!("\nstopping at the next checkpoint (Ctrl-C again leaves at once)")
            }
            SERVING => {
                println!("\nstopped");
                std::process::exit(0)
            }
            _ => std::process::exit(130),
        }
    })
    .context("cannot take over Ctrl-C")
}

/// Runs something during which the first Ctrl-C is the child's business.
pub fn leave_to_child<T>(work: impl FnOnce() -> T) -> T {
    WHAT_TO_DO.store(WAIT_FOR_CHILD, Ordering::SeqCst);
    let result = work();
    WHAT_TO_DO.store(LEAVE, Ordering::SeqCst);
    result
}

/// From here on Ctrl-C is the ordinary end.
pub fn is_the_way_to_stop() {
    WHAT_TO_DO.store(SERVING, Ordering::SeqCst);
}
