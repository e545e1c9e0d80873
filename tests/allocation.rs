//! In the steady state nothing is allocated: not by a classification, not by a training step.
#![cfg(all(feature = "train", not(target_family = "wasm")))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use convlet::architecture::Architecture;
use convlet::classifier::Classifier;
use convlet::image::Input;
use convlet::model::Model;
use convlet::optimizer::Optimizer;
use convlet::rng::Rng;
use convlet::train::{Dataset, FitOptions, Trainer};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting the calls of this thread.
struct Counting;

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: as this function's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as this function's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: as this function's.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(f: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    f();
    ALLOCATIONS.with(Cell::get) - before
}

/// One thread, as in the browser: handing work to others allocates.
fn alone(f: impl FnOnce() + Send) {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(f);
}

struct Noise;

impl Dataset for Noise {
    fn len(&self) -> usize {
        64
    }

    fn label(&self, index: usize) -> usize {
        index % 2
    }

    fn load(&self, index: usize, _: Option<&mut Rng>, x: &mut [f32]) {
        let mut rng = Rng::new(index as u64);
        x.iter_mut().for_each(|x| *x = rng.uniform());
    }
}

#[test]
fn the_counter_counts() {
    assert!(allocations(|| drop(vec![1, 2, 3])) > 0);
}

#[test]
fn classifying() {
    alone(|| {
        for architecture in [Architecture::article(), Architecture::pets()] {
            let model = Model::new(architecture, 1).unwrap();
            let labels = ["cat".to_string(), "dog".to_string()];
            let input = Input::rgb(64, 64);
            let mut classifier =
                Classifier::new(model, labels.into(), input, serde_json::Map::new()).unwrap();
            let frame = vec![127; 640 * 480 * 4];
            classifier.classify(&frame, 640, 480).unwrap();
            let count = allocations(|| {
                classifier.classify(&frame, 640, 480).unwrap();
            });
            assert_eq!(count, 0);
        }
    });
}

#[test]
fn training() {
    alone(|| {
        for architecture in [Architecture::article(), Architecture::pets()] {
            let mut model = Model::new(architecture, 1).unwrap();
            let mut optimizer = Optimizer::adam(0.001);
            optimizer.ema_momentum = Some(0.99);
            optimizer.global_clipnorm = Some(1.0);
            let options = FitOptions { batch_size: 8, mix_up: 0.2, ..FitOptions::default() };
            let mut trainer = Trainer::new(options, optimizer);
            for _ in 0..3 {
                trainer.step(&mut model, &Noise).unwrap();
            }
            let count = allocations(|| {
                trainer.step(&mut model, &Noise).unwrap();
            });
            assert_eq!(count, 0);
        }
    });
}
