//! Splitting work over threads: outputs, never a sum, so that the number of threads changes no bit.
//!
//! Threads exist natively with the `threads` feature; elsewhere, and with one thread, everything here is a plain loop that
//! allocates nothing.

/// Threads that work can be split over.
pub fn parts() -> usize {
    #[cfg(all(feature = "threads", not(target_family = "wasm")))]
    return rayon::current_num_threads();
    #[cfg(not(all(feature = "threads", not(target_family = "wasm"))))]
    1
}

/// Calls `f(i, chunk)` for the chunks of `out`, each `chunk` long (the last may be shorter).
pub fn for_each_chunk<T: Send>(out: &mut [T], chunk: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    for_each(out.chunks_mut(chunk.max(1)).enumerate(), |(i, chunk)| f(i, chunk));
}

/// Calls `f` for every item: on one thread in order, on several in any order.
pub fn for_each<T: Send>(items: impl Iterator<Item = T> + Send, f: impl Fn(T) + Sync) {
    #[cfg(all(feature = "threads", not(target_family = "wasm")))]
    if parts() > 1 {
        let f = &f;
        return rayon::scope(|scope| items.for_each(|item| scope.spawn(move |_| f(item))));
    }
    items.for_each(f);
}

/// Calls both, on two threads where there are.
pub fn join<A: Send, B: Send>(
    a: impl FnOnce() -> A + Send,
    b: impl FnOnce() -> B + Send,
) -> (A, B) {
    #[cfg(all(feature = "threads", not(target_family = "wasm")))]
    if parts() > 1 {
        return rayon::join(a, b);
    }
    (a(), b())
}
