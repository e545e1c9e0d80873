//! Calls in any order, with any sizes: build, predict, train, save, load, teach. Errors are fine; whatever a call does,
//! the next one finds a network that answers.
#![no_main]

use arbitrary::Arbitrary;
use convlet::architecture::{Architecture, LayerInput, LayerSpec};
use convlet::classifier::Classifier;
use convlet::image::Input;
use convlet::model::{Mode, Model};
use convlet::optimizer::Optimizer;
use convlet::train::train_on_batch;
use convlet::transfer::{Depth, Event, Rate, Recipe, Transfer};
use libfuzzer_sys::fuzz_target;
use ndarray::{Array2, Array4};
use serde_json::json;

#[derive(Arbitrary, Debug)]
enum Layer {
    Conv2D {
        filters: u8,
        size: u8,
        stride: u8,
        same: bool,
        activation: u8,
    },
    Depthwise {
        size: u8,
        same: bool,
    },
    Separable {
        filters: u8,
        size: u8,
    },
    Pool {
        average: bool,
        size: u8,
        stride: u8,
        same: bool,
    },
    Padding(u8),
    Normalization,
    Dropout(u8),
    /// Adds to, or stands beside, the layer so many before.
    Join {
        concatenate: bool,
        back: u8,
    },
    Activation(u8),
    GlobalAverage,
    Flatten,
    Dense {
        units: u8,
        activation: u8,
    },
}

#[derive(Arbitrary, Debug)]
enum Call {
    Build { input: [u8; 3], layers: Vec<Layer>, ending: Option<bool>, seed: u8 },
    Predict { n: usize },
    Train { n: u8, value: f32, target: f32, rate: f32 },
    Step { n: usize, mode: u8 },
    Classify { width: u8, height: u8 },
    Inspect { layer: u8, index: u8 },
    Trainable { layer: u8, on: bool },
    Release,
    Save,
    Load { byte: u16, flip: u8 },
    Teach { labels: u8, split: f32 },
    Example { label: u8, held_back: Option<bool>, level: u8 },
    Begin(Plan),
    Resume(Plan),
    Advance(u8),
    Finish,
    Checkpoint,
    Damage { byte: u16, flip: u8 },
    Remove(u8),
    Relabel(u8, u8),
    Evaluate,
    Keep,
}

#[derive(Arbitrary, Debug)]
struct Plan {
    depth: u8,
    epochs: usize,
    batch_size: usize,
    rate: f32,
    schedule: u8,
    early_stopping: Option<usize>,
    restore: bool,
    momentum: Option<f32>,
    variants: usize,
    smoothing: f32,
    zoom: [f32; 2],
}

impl Plan {
    fn recipe(&self) -> Recipe {
        let depth = [Depth::Head, Depth::Whole, Depth::Scratch][usize::from(self.depth % 3)];
        let schedule = [Rate::Constant, Rate::Cosine, Rate::OneCycle, Rate::Plateau];
        let mut recipe = Recipe {
            epochs: self.epochs,
            batch_size: self.batch_size,
            learning_rate: self.rate,
            schedule: schedule[usize::from(self.schedule % 4)],
            early_stopping: self.early_stopping,
            restore_best_weights: self.restore,
            ema_momentum: self.momentum,
            // A few hundred are as good a test as a million, which would take minutes.
            variants: self.variants % 300,
            label_smoothing: self.smoothing,
            ..Recipe::defaults(depth, 10)
        };
        recipe.augment.zoom_range = self.zoom;
        recipe
    }
}

fn activation(number: u8) -> &'static str {
    let names = ["linear", "relu", "relu6", "silu", "hard_silu", "tanh", "leaky_relu", "softmax"];
    names[usize::from(number) % names.len()]
}

fn padding(same: bool) -> &'static str {
    if same { "same" } else { "valid" }
}

fn spec(layer: &Layer, at: usize) -> LayerSpec {
    let (class, config) = match *layer {
        Layer::Conv2D { filters, size, stride, same, activation: name } => (
            "Conv2D",
            json!({"filters": filters % 40, "kernel_size": size % 6, "strides": 1 + stride % 3, "padding": padding(same), "activation": activation(name)}),
        ),
        Layer::Depthwise { size, same } => {
            ("DepthwiseConv2D", json!({"kernel_size": size % 6, "padding": padding(same)}))
        }
        Layer::Separable { filters, size } => {
            ("SeparableConv2D", json!({"filters": filters % 20, "kernel_size": size % 5}))
        }
        Layer::Pool { average, size, stride, same } => (
            if average { "AveragePooling2D" } else { "MaxPooling2D" },
            json!({"pool_size": size % 5, "strides": 1 + stride % 4, "padding": padding(same)}),
        ),
        Layer::Padding(size) => ("ZeroPadding2D", json!({"padding": size % 4})),
        Layer::Normalization => ("BatchNormalization", json!({})),
        Layer::Dropout(rate) => ("Dropout", json!({"rate": f32::from(rate) / 256.0})),
        Layer::Join { concatenate, .. } => {
            (if concatenate { "Concatenate" } else { "Add" }, json!({}))
        }
        Layer::Activation(name) => ("Activation", json!({"activation": activation(name)})),
        Layer::GlobalAverage => ("GlobalAveragePooling2D", json!({})),
        Layer::Flatten => ("Flatten", json!({})),
        Layer::Dense { units, activation: name } => {
            ("Dense", json!({"units": units % 40, "activation": activation(name)}))
        }
    };
    let before = |back: usize| match at.checked_sub(back) {
        None | Some(0) => LayerInput::Model,
        Some(value) => LayerInput::Layer(value - 1),
    };
    let inputs = match layer {
        Layer::Join { back, .. } => vec![before(0), before(usize::from(*back % 4))],
        _ => vec![before(0)],
    };
    LayerSpec::new(class, config).with_inputs(&inputs)
}

fn built(input: [u8; 3], layers: &[Layer], ending: Option<bool>, seed: u8) -> Option<Classifier> {
    let [h, w, c] = input.map(usize::from);
    let shape = [h % 20, w % 20, [1, 3][c % 2]];
    let mut specs: Vec<_> =
        layers.iter().take(8).enumerate().map(|(i, layer)| spec(layer, i)).collect();
    if let Some(is_softmax) = ending {
        let flatten = spec(&Layer::Flatten, specs.len());
        specs.push(flatten);
        let config = match is_softmax {
            true => json!({"units": 3, "activation": "softmax"}),
            false => json!({"units": 1, "activation": "sigmoid"}),
        };
        let inputs = [LayerInput::Layer(specs.len() - 1)];
        specs.push(LayerSpec::new("Dense", config).with_inputs(&inputs));
    }
    let model = Model::new(Architecture::new("fuzz", shape, specs).ok()?, seed.into()).ok()?;
    if model.count_params() > 100_000 {
        return None;
    }
    let labels = (0..model.output_len().max(2)).map(|i| i.to_string()).collect();
    let input = Input { channels: shape[2], ..Input::rgb(shape[0], shape[1]) };
    Classifier::new(model, labels, input, Default::default()).ok()
}

#[derive(Default)]
struct State {
    classifier: Option<Classifier>,
    optimizer: Option<Optimizer>,
    file: Vec<u8>,
    transfer: Option<Transfer>,
    checkpoint: Vec<u8>,
}

fn flip(bytes: &mut [u8], byte: u16, with: u8) {
    if !bytes.is_empty() {
        let at = usize::from(byte) % bytes.len();
        bytes[at] ^= with;
    }
}

impl State {
    fn call(&mut self, call: &Call) -> Option<()> {
        match *call {
            Call::Build { input, ref layers, ending, seed } => {
                self.classifier = Some(built(input, layers, ending, seed)?);
                self.optimizer = None;
            }
            Call::Predict { n } => {
                let model = &mut self.classifier.as_mut()?.model;
                let [h, w, c] = model.input_shape();
                let n = n % 20;
                let y = model.predict(Array4::from_elem((n, h, w, c), 0.5).view()).ok()?;
                assert_eq!(y.dim(), (n, model.output_len()));
            }
            Call::Train { n, value, target, rate } => {
                let model = &mut self.classifier.as_mut()?.model;
                let [h, w, c] = model.input_shape();
                let n = usize::from(n % 10);
                let x = Array4::from_elem((n, h, w, c), value);
                let targets = Array2::from_elem((n, model.output_len()), target);
                let optimizer = self.optimizer.get_or_insert_with(|| Optimizer::adam(0.01));
                optimizer.learning_rate = rate;
                let _ = train_on_batch(model, optimizer, x.view(), targets.view());
            }
            Call::Step { n, mode } => {
                let model = &mut self.classifier.as_mut()?.model;
                let modes = [Mode::Inference, Mode::Training, Mode::Inspection];
                let mode = modes[usize::from(mode % 3)];
                // Any size is refused or has room; small ones run.
                let room = match n.checked_mul(model.input_len()) {
                    Some(len) if len > 1 << 20 && len < 1 << 31 => return None,
                    _ => model.input_mut(n, mode),
                };
                room.ok()?.fill(0.1);
                model.forward(n, mode);
                model.backward(n);
            }
            Call::Classify { width, height } => {
                let [width, height] = [width, height].map(|side| usize::from(side % 40));
                let classifier = self.classifier.as_mut()?;
                let _ = classifier.classify(&vec![200; width * height * 4], width, height);
                let _ = classifier.none_of_these();
            }
            Call::Inspect { layer, index } => {
                let model = &mut self.classifier.as_mut()?.model;
                let _ = model.class_activation(layer.into(), index.into());
                model.input_mut(1, Mode::Inspection).ok()?.fill(0.3);
                model.forward(1, Mode::Inspection);
                model.arithmetic(layer.into(), index.into());
                let _ = model.class_activation(layer.into(), index.into());
                let _ = model.saliency(index.into());
            }
            Call::Trainable { layer, on } => {
                let model = &mut self.classifier.as_mut()?.model;
                let name = model.layers().get(usize::from(layer))?.name.clone();
                model.set_trainable(&name, on).expect("a layer of its own");
            }
            Call::Release => self.classifier.as_mut()?.model.release_buffers(),
            Call::Save => self.file = self.classifier.as_ref()?.to_file().to_bytes().ok()?,
            Call::Load { byte, flip: with } => {
                flip(&mut self.file, byte, with);
                let loaded = Classifier::from_bytes(&self.file);
                flip(&mut self.file, byte, with);
                let loaded = loaded.ok()?;
                // A changed digit may have made a large network of it.
                if loaded.model.input_len() < 1 << 12 && loaded.model.layers().len() < 20 {
                    self.classifier = Some(loaded);
                }
            }
            Call::Teach { labels, split } => {
                let labels: Vec<_> = (0..labels % 5).map(|i| format!("class {i}")).collect();
                self.transfer = Some(Transfer::from_bytes(&self.file, &labels, split).ok()?);
            }
            Call::Example { label, held_back, level } => {
                let transfer = self.transfer.as_mut()?;
                if transfer.counts().0 < 20 {
                    let _ = transfer.add(&[level; 4 * 6], 3, 2, label.into(), held_back);
                }
            }
            Call::Begin(ref plan) => transfer_begin(self.transfer.as_mut()?, plan),
            Call::Resume(ref plan) => {
                let _ = self.transfer.as_mut()?.resume(plan.recipe(), &self.checkpoint);
            }
            Call::Advance(times) => {
                for _ in 0..times % 20 {
                    if let Ok(Event::End) | Err(_) = self.transfer.as_mut()?.advance() {
                        break;
                    }
                }
            }
            Call::Finish => self.transfer.as_mut()?.finish(),
            Call::Checkpoint => self.checkpoint = self.transfer.as_ref()?.checkpoint().ok()?,
            Call::Damage { byte, flip: with } => flip(&mut self.checkpoint, byte, with),
            Call::Remove(index) => self.transfer.as_mut()?.remove(index.into()).ok()?,
            Call::Relabel(index, label) => {
                self.transfer.as_mut()?.relabel(index.into(), label.into()).ok()?
            }
            Call::Evaluate => {
                let transfer = self.transfer.as_mut()?;
                let _ = transfer.evaluate();
                let _ = transfer.classify(&[90; 4 * 6], 2, 3);
            }
            Call::Keep => {
                let kept = self.transfer.as_ref()?.to_classifier().ok()?;
                self.file = kept.to_file().to_bytes().ok()?;
                self.classifier = Some(Classifier::from_bytes(&self.file).expect("just written"));
            }
        }
        Some(())
    }
}

fn transfer_begin(transfer: &mut Transfer, plan: &Plan) {
    let _ = transfer.begin(plan.recipe());
}

fuzz_target!(|calls: Vec<Call>| {
    let mut state = State::default();
    for call in calls.iter().take(40) {
        state.call(call);
    }
});
