//! Gradients of one batch, its parts on threads of their own.

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Tensor;

/// What one part of a batch gives: its share of the gradients, and its share of the loss.
type Share<E> = Result<(GradientsParams, f32), E>;

/// The sum of what `work` gives for each of `parts`, which are dealt to `threads` threads in turn. Sums are formed in the order of the
/// parts, whichever is done first.
pub(crate) fn gradients_of_parts<M: Module + Sync, P: Sync, E: Send>(
    model: &M,
    parts: &[P],
    threads: usize,
    work: impl Fn(&M, &P) -> Share<E> + Sync,
) -> Share<E> {
    if let [only] = parts {
        return work(model, only);
    }
    let threads = threads.clamp(1, parts.len().max(1));
    let own = |thread: usize| -> Vec<Share<E>> {
        let model = model.clone().map(&mut OwnLeaves);
        let mine = parts.iter().skip(thread).step_by(threads);
        mine.map(|part| work(&model, part)).collect()
    };
    let results: Vec<Vec<Share<E>>> = std::thread::scope(|scope| {
        let own = &own;
        let handles: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || own(thread)))
            .collect();
        let join = |handle: std::thread::ScopedJoinHandle<'_, _>| {
            handle
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        handles.into_iter().map(join).collect()
    });
    let mut results: Vec<_> = results.into_iter().map(Vec::into_iter).collect();
    let mut accumulator = GradientsAccumulator::new();
    let mut loss = 0.0;
    for part in 0..parts.len() {
        if let Some(result) = results[part % threads].next() {
            let (gradients, value) = result?;
            accumulator.accumulate(model, gradients);
            loss += value;
        }
    }
    Ok((accumulator.grads(), loss))
}

/// Gives a thread's copy of the model leaves of its own, so that threads' graphs stay apart; gradients keep the parameters' identities.
/// (`Module::fork` would do the same, but each of its device moves leaves a node in burn 0.22.1's graph registry, and steps slow down.)
struct OwnLeaves;

impl ModuleMapper for OwnLeaves {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| {
            let tracked = tensor.is_require_grad();
            Tensor::from_inner(tensor.inner()).set_require_grad(tracked)
        })
    }
}
