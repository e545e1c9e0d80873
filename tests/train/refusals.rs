//! What cannot be trained on, and trainings that diverge.

use convlet::error::ErrorKind;
use convlet::optimizer::Optimizer;
use convlet::rng::Rng;
use convlet::train::{Dataset, FitOptions, Flow, fit};

use crate::{Stripes, model, options, weights};

#[test]
fn a_diverged_step_is_an_error_and_leaves_the_weights() {
    let mut model = model(1);
    let mut optimizer = Optimizer::sgd(1e30, 0.0, false);
    optimizer.global_clipnorm = None;
    let error = fit(&mut model, optimizer, &Stripes(64), None, options(), |_, _| Flow::Continue)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Divergence);
    assert!(error.to_string().contains("learning rate"), "{error}");
}

#[test]
fn bad_arguments_are_errors() {
    struct Labels(usize);
    impl Dataset for Labels {
        fn len(&self) -> usize {
            4
        }
        fn label(&self, _: usize) -> usize {
            self.0
        }
        fn load(&self, _: usize, _: Option<&mut Rng>, _: &mut [f32]) {}
    }
    let run = |data: &dyn Dataset, options| {
        let optimizer = Optimizer::adam(0.01);
        fit(&mut model(1), optimizer, data, None, options, |_, _| Flow::Continue).unwrap_err()
    };
    let zero = FitOptions { batch_size: 0, ..options() };
    assert_eq!(run(&Stripes(0), options()).kind(), ErrorKind::Data);
    assert_eq!(run(&Stripes(4), zero).kind(), ErrorKind::Argument);
    assert!(run(&Labels(2), options()).to_string().contains("from 0 to 1, got 2"));
}

#[test]
fn a_last_step_that_ruins_the_weights_is_a_divergence() {
    let mut model = model(1);
    let before = weights(&model);
    let options = FitOptions { batch_size: 40, epochs: 1, ..options() };
    let optimizer = Optimizer::sgd(f32::MAX, 0.0, false);
    let data = Stripes(40);
    let error =
        fit(&mut model, optimizer, &data, Some(&data), options, |_, _| Flow::Continue).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Divergence);
    assert!(error.to_string().starts_with("validation: expected a finite loss, got "), "{error}");
    assert_eq!(weights(&model), before);
}
