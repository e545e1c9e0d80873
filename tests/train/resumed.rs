//! A training that goes on from a checkpoint, and checkpoints that are refused.

use convlet::error::ErrorKind;
use convlet::model::Model;
use convlet::optimizer::Optimizer;
use convlet::train::{Event, FitOptions, Flow, Schedule, Trainer};

use crate::graph::graph;
use crate::{Stripes, model, options, weights};

#[test]
fn a_resumed_training_ends_in_the_same_weights() {
    let options = FitOptions {
        epochs: 5,
        mix_up: 0.2,
        restore_best_weights: true,
        schedule: Schedule::Cosine { warmup: 1.0 },
        ..options()
    };
    let optimizer = || {
        let mut optimizer = Optimizer::adam(0.01);
        optimizer.ema_momentum = Some(0.95);
        optimizer
    };
    let (data, validation) = (Stripes(50), Stripes(20));
    let mut whole = model(1);
    let mut trainer = Trainer::new(options.clone(), optimizer());
    let mut saved = Vec::new();
    trainer
        .fit(&mut whole, &data, Some(&validation), |model, event| {
            if let Event::Epoch { epoch: 1, trainer, .. } = event {
                saved = trainer.checkpoint(model, "recipe").unwrap();
            }
            Flow::Continue
        })
        .unwrap();
    // Other weights and another dropout stream: all of it must come from the checkpoint.
    let mut resumed = model(1);
    resumed.parameters_mut()[0].value.fill(0.5);
    let resume = |bytes: &[u8], model: &mut Model, recipe: &str| {
        Trainer::resume(bytes, options.clone(), optimizer(), model, recipe)
    };
    let mut again = resume(&saved, &mut resumed, "recipe").unwrap();
    assert_eq!(again.history(), &trainer.history()[..2]);
    again.fit(&mut resumed, &data, Some(&validation), |_, _| Flow::Continue).unwrap();
    assert_eq!(again.history(), trainer.history());
    assert_eq!(weights(&resumed), weights(&whole));

    let refused = |bytes: &[u8], recipe| resume(bytes, &mut model(1), recipe).unwrap_err().kind();
    assert_eq!(refused(&saved, "another"), ErrorKind::Argument);
    assert_eq!(refused(&saved[..saved.len() - 1], "recipe"), ErrorKind::File);
    assert_eq!(
        resume(&saved, &mut Model::new(graph(), 1).unwrap(), "recipe").unwrap_err().kind(),
        ErrorKind::File
    );
    for (text, damaged, message) in [
        ("[0,0,0]", "[0,0.0]", "checkpoint: epoch: expected a whole number, got 0.0"),
        ("[0,0,0]", "[0,000]", "checkpoint: epoch: invalid number at line 1 column 4"),
        (
            "[0,0,0]",
            "[0,  0]",
            "checkpoint: epoch: expected loss, correct and count, got \"[0,  0]\"",
        ),
        ("val_loss", "val_lost", "checkpoint: history: val_lost: expected one of loss, accuracy, "),
    ] {
        let at = saved.windows(text.len()).position(|part| part == text.as_bytes()).unwrap();
        let mut bytes = saved.clone();
        bytes[at..][..text.len()].copy_from_slice(damaged.as_bytes());
        let error = resume(&bytes, &mut model(1), "recipe").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::File);
        assert!(error.to_string().starts_with(message), "{error}");
    }
    let version = br#""version":"2""#;
    let at = saved.windows(version.len()).position(|part| part == version).unwrap();
    let mut old = saved.clone();
    old[at + version.len() - 2] = b'1';
    assert_eq!(refused(&old, "recipe"), ErrorKind::Version);
    // An epoch that is further than there are examples.
    let text = b"[0,0,0]";
    let at = saved.windows(text.len()).position(|part| part == text).unwrap();
    saved[at + 5] = b'9';
    let mut model = model(1);
    let mut trainer = resume(&saved, &mut model, "recipe").unwrap();
    let error = trainer.step(&mut model, &Stripes(8)).unwrap_err();
    assert_eq!(error.to_string(), "fit: expected to go on among 8 examples, got 9 done");
}
