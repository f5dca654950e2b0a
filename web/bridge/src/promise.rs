//! Promises that a panic rejects.
//!
//! A panic ends WebAssembly code with a trap, after which nothing polls the future that was running: a promise made the
//! usual way would stay pending for ever, and the page would wait. So every promise leaves its `reject` here while it is
//! under way, and the panic hook calls them all.

use crate::failure::Failure;
use js_sys::{Function, Promise};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

thread_local! {
    static PENDING: RefCell<BTreeMap<u64, Function>> = const { RefCell::new(BTreeMap::new()) };
    static NEXT: Cell<u64> = const { Cell::new(0) };
    static CRASHED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `future` and settles the promise with its result.
pub fn run(future: impl Future<Output = Result<JsValue, Failure>> + 'static) -> Promise {
    if let Some(message) = CRASHED.with_borrow(Clone::clone) {
        return Promise::reject(&Failure::panic(&message).into());
    }
    let mut future = Some(future);
    Promise::new(&mut |resolve, reject| {
        let Some(future) = future.take() else { return };
        let id = NEXT.with(|next| next.replace(next.get() + 1));
        PENDING.with_borrow_mut(|pending| pending.insert(id, reject.clone()));
        spawn_local(async move {
            let result = future.await;
            PENDING.with_borrow_mut(|pending| pending.remove(&id));
            // The functions of a promise do not throw.
            let _ = match result {
                Ok(value) => resolve.call1(&JsValue::UNDEFINED, &value),
                Err(failure) => reject.call1(&JsValue::UNDEFINED, &failure.into()),
            };
        });
    })
}

/// Makes panics visible: a line on the console, and a rejection of everything under way.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        let message = info.to_string();
        web_sys::console::error_1(&JsValue::from_str(&message));
        CRASHED.with(|crashed| {
            if let Ok(mut crashed) = crashed.try_borrow_mut() {
                *crashed = Some(message.clone());
            }
        });
        let pending = PENDING.with(|pending| {
            pending
                .try_borrow_mut()
                .map(|mut pending| std::mem::take(&mut *pending))
                .unwrap_or_default()
        });
        for reject in pending.into_values() {
            let _ = reject.call1(&JsValue::UNDEFINED, &Failure::panic(&message).into());
        }
    }));
}
