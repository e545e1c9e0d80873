//! `cargo bench --bench kernels [WORD]`: the cases on one thread, throughput in floating-point operations.

mod cases;

use criterion::{Criterion, Throughput};

fn main() {
    // Before the first kernel: rayon reads it once.
    rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build_global()
        .expect("the first pool of threads");
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("kernels");
    for mut case in cases::cases() {
        group.throughput(Throughput::Elements(case.flop as u64));
        group.bench_function(&case.name, |bencher| bencher.iter(&mut case.run));
    }
    group.finish();
    criterion.final_summary();
}
