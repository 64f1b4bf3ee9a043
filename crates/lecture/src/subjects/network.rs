//! The trained network that several experiments look into: trained once on the spot, or read from a file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use autograd::{Mode, Params, Tape};
use clap::Args;
use classifier::ranges::{any_seed, within};
use classifier::{Evaluation, Images, Net, Score, model};
use data::{Batch, Dataset, Loader, Normalize, Subset};
use foreign_text::{Foreign, shown_path};
use nn::{Layer, Row, Sequential, Summary, models};
use optim::{Adam, AnyRule, Optimizer};

use crate::page::{Table, count};

/// Which network, on which images.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Args)]
pub struct NetworkFlags {
    /// Folder of CIFAR-10 [default: datasets/cifar-10-batches-bin, else the built-in set]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Weights of a finished run, instead of training on the spot
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,

    /// Epochs to train on the spot
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = within::<1, 1000>,
          conflicts_with = "model")]
    pub epochs: usize,

    /// Training images to use on the spot
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = within::<1, 50_000>,
          conflicts_with = "model")]
    pub images: usize,

    /// Seed of weights, order and dropout
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = any_seed)]
    pub seed: u64,
}

/// Adam's learning rate on the spot: at the lecture's 0.005 many units die in the first steps, and such a
/// short training does not make up for them.
const LR: f64 = 0.001;

/// One epoch of training on the spot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lesson {
    /// The mean of the batches' mean losses, as the lecture prints it.
    pub mean_of_batches: f64,
    /// The mean loss per image.
    pub mean_of_images: f64,
}

/// A trained network and the images it is shown.
pub struct Trained {
    /// The images it was trained on and is tested on.
    pub images: Images,
    /// How their values are normalised.
    pub normalize: Normalize,
    /// Training, epoch by epoch; empty when the weights are from a file.
    pub lessons: Vec<Lesson>,
    values: Vec<f32>,
}

/// Everything trained in this process: experiments run in parallel and share the network.
static TRAINED: Mutex<Option<HashMap<NetworkFlags, Arc<Trained>>>> = Mutex::new(None);

impl NetworkFlags {
    /// The same flags with the given folder of images and file of weights.
    pub(crate) fn on(self, data: Option<&Path>, model: Option<&Path>) -> Self {
        Self {
            data: data.map(Path::to_owned).or(self.data),
            model: model.map(Path::to_owned).or(self.model),
            ..self
        }
    }

    /// Returns the network, which is trained on first use.
    ///
    /// # Errors
    /// When the images or the weights cannot be read, or the weights are those of another network.
    pub fn network(&self) -> Result<Arc<Trained>> {
        let mut all = TRAINED.lock().unwrap_or_else(PoisonError::into_inner);
        let all = all.get_or_insert_default();
        if let Some(trained) = all.get(self) {
            return Ok(Arc::clone(trained));
        }
        // A separate thread and pool: a thread of the common pool that waits for others would meanwhile start
        // another experiment, which would need the lock that this one holds.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(rayon::current_num_threads()).build()?;
        let trained = std::thread::scope(|scope| {
            scope.spawn(|| pool.install(|| self.obtain())).join().expect("training does not panic")
        })?;
        let trained = Arc::new(trained);
        all.insert(self.clone(), Arc::clone(&trained));
        Ok(trained)
    }

    fn obtain(&self) -> Result<Trained> {
        let images = Images::open(self.data.as_deref())?;
        if let Some(file) = &self.model {
            let (_, params, about) = model::load(file)?;
            ensure!(
                about.net == Net::Lecture,
                "{}: it holds the network {}, expected lecture (descent train --net lecture trains one)",
                shown_path(file),
                about.net
            );
            about.check_classes(&images.test, &images.name)?;
            ensure!(
                params.values().iter().all(|value| value.is_finite()),
                "{}: weights in it are NaN or infinite",
                shown_path(file)
            );
            let (normalize, values) = (about.normalize(), params.values().to_vec());
            return Ok(Trained { images, normalize, lessons: Vec::new(), values });
        }
        let (net, mut params) = nn::build(models::lecture_cnn(0.5), self.seed);
        let subset = Subset::first(&images.train, self.images);
        let adam = Adam { lr: LR, weight_decay: 1e-4, ..Adam::default() };
        let mut training = Training::new(&params, adam.into(), self.seed)?;
        let mut loader = Loader::new(&subset, 64).shuffle(self.seed);
        let lessons = (0..self.epochs).map(|_| training.epoch(&net, &mut params, &mut loader));
        let lessons = lessons.collect::<Result<_>>()?;
        let normalize = Normalize { mean: vec![0.0; 3], std: vec![1.0; 3] };
        Ok(Trained { images, normalize, lessons, values: params.values().to_vec() })
    }

    /// A description of the network.
    pub fn describe(&self, trained: &Trained) -> String {
        match &self.model {
            Some(file) => {
                let file = file.to_string_lossy();
                format!("the network in {}, on {}", Foreign::new(&file).markdown(), trained.images.name)
            }
            None => format!(
                "a network trained on the spot, for {} epoch{} on {} images of {}, with a learning rate of {LR} \
                 (`--epochs`, `--images`, or `--model FILE` for one that has trained longer)",
                trained.lessons.len(),
                if trained.lessons.len() == 1 { "" } else { "s" },
                count(self.images.min(trained.images.train.len())),
                trained.images.name
            ),
        }
    }
}

/// A small training loop: the lecture's, with any rule.
pub struct Training {
    optimizer: Optimizer<f32>,
    tape: Tape,
    seed: u64,
    step: u64,
}

impl Training {
    /// Sets up the training, before the first step.
    ///
    /// # Errors
    /// When a hyperparameter of the rule is outside its range.
    pub fn new(params: &Params, rule: AnyRule<f32>, seed: u64) -> Result<Self> {
        Ok(Self { optimizer: Optimizer::new(rule, params)?, tape: Tape::new(), seed, step: 0 })
    }

    /// Trains for one pass over the loader's images.
    ///
    /// # Errors
    /// When the data can no longer be read.
    pub fn epoch(
        &mut self,
        net: &Sequential,
        params: &mut Params,
        loader: &mut Loader<'_>,
    ) -> Result<Lesson> {
        let (mut batch, mut of_batches, mut of_images, mut n_images) = (Batch::new(), 0.0, 0.0, 0);
        // ANCHOR: epoch
        while loader.next_into(&mut batch)? {
            let loss = self.tape.step(params, Mode::train(self.seed, self.step), |g| {
                let logits = net.forward(g, g.images(&batch));
                g.cross_entropy(logits, g.labels(&batch))
            });
            self.optimizer.step(params);
            self.step += 1;
            let loss = f64::from(loss);
            of_batches += loss;
            of_images += loss * batch.len() as f64;
            n_images += batch.len();
        }
        // ANCHOR_END: epoch
        Ok(Lesson {
            mean_of_batches: of_batches / loader.n_batches().max(1) as f64,
            mean_of_images: of_images / n_images.max(1) as f64,
        })
    }
}

impl Trained {
    /// The network with its weights.
    pub fn build(&self) -> (Sequential, Params) {
        self.with_weights(models::lecture_cnn(0.5))
    }

    /// The network up to the ReLU of block 1, 2 or 3, with its weights.
    pub fn up_to_block(&self, block: usize) -> (Sequential, Params) {
        let channels = [3, 32, 64, 128];
        let net = (1..=block).fold(Sequential::new(), |net, b| {
            let net = if b > 1 { net.add(nn::MaxPool2d::new(2)) } else { net };
            net.add(nn::Conv2d::new(channels[b - 1], channels[b], 3).padding(1)).add(nn::ReLU)
        });
        self.with_weights(net)
    }

    /// A network that starts with the layers of the trained one, with its weights: the parameters have the
    /// same order.
    fn with_weights(&self, net: Sequential) -> (Sequential, Params) {
        let (net, mut params) = nn::build(net, 0);
        let values = params.values_mut();
        values.copy_from_slice(&self.values[..values.len()]);
        (net, params)
    }

    /// Evaluates the network on the entire test set.
    ///
    /// # Errors
    /// When the images can no longer be read, or an output is NaN or infinite.
    pub fn evaluate(&self) -> Result<Evaluation> {
        let (net, mut params) = self.build();
        let mut loader = Loader::new(&self.images.test, 64).normalize(&self.normalize);
        let n_classes = self.classes().len();
        let evaluation = Evaluation::run(&net, &mut params, &mut Tape::new(), &mut loader, n_classes)?;
        evaluation.check_finite().map(|()| evaluation)
    }

    /// Loss and accuracy on the test set.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    pub fn score(&self) -> Result<Score> {
        Ok(self.evaluate()?.score())
    }

    /// The names of the classes.
    pub fn classes(&self) -> &[String] {
        self.images.test.class_names()
    }

    /// Converts pixels, three bytes for each, to the network's input, `[1, 32, 32, 3]`.
    pub fn normalized(&self, rgb: &[u8]) -> Vec<f32> {
        let Normalize { mean, std } = &self.normalize;
        let [mean, std] = [mean, std].map(|values| [0, 1, 2].map(|channel| values[channel] as f32));
        rgb.iter().enumerate().map(|(i, &b)| (f32::from(b) / 255.0 - mean[i % 3]) / std[i % 3]).collect()
    }
}

/// A network's layers as a table for the page, the total last.
pub(crate) fn summary_table(summary: &Summary) -> Table {
    let mut table = Table::new(["", "layer", "output", "parameters"]);
    for Row { path, layer, output, n_params } in &summary.rows {
        table.push([
            path.as_str().into(),
            layer.as_str().into(),
            format!("{output:?}").into(),
            (*n_params).into(),
        ]);
    }
    table.row(["".into(), "all".into(), "".into(), summary.n_params().into()])
}

/// An image of a set, three bytes for each pixel, row by row.
pub fn rgb(images: &dyn Dataset, image_idx: usize) -> Vec<u8> {
    let planes = images.image(image_idx);
    let n = planes.len() / 3;
    (0..n).flat_map(|i| [planes[i], planes[n + i], planes[2 * n + i]]).collect()
}

/// The first image of a class.
///
/// # Errors
/// When the set has none.
pub fn first_of_class(images: &dyn Dataset, class: usize) -> Result<usize> {
    let found = (0..images.len()).find(|&idx| images.label(idx) as usize == class);
    found.with_context(|| format!("there is no image of class {class}"))
}
