//! One training run: the network, its recipe, what was measured so far, and the folder it all goes to.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use autograd::{Mode, Params, Tape};
use data::{Augment, Batch, Dataset, Loader, Normalize};
use nn::{Layer, Sequential, models};

use crate::cli::TrainArgs;
use crate::dataset::Images;
use crate::evaluate::Evaluation;
use crate::history::{self, Epoch};
use crate::model::{self, About};
use crate::progress::EpochBar;
use crate::recipe::Recipe;

/// The pixels that `--augment` shifts an image by at most.
const CROP_PADDING: usize = 4;

/// One training run.
pub struct Run<'a> {
    args: &'a TrainArgs,
    out: &'a Path,
    about: About,
    normalize: Option<Normalize>,
    net: Sequential,
    params: Params,
    tape: Tape,
    /// Evaluation has buffers of its own, so that those of training stay as they are.
    eval_tape: Tape,
    recipe: Recipe,
    /// Steps taken since the start of the run.
    step: u64,
    /// What was measured, epoch by epoch.
    pub history: Vec<Epoch>,
}

/// The training loss of an epoch.
pub struct EpochLoss {
    /// The mean of the batches' means, as the lecture prints it.
    pub of_batches: f64,
    /// The mean over the images.
    pub of_images: f64,
    /// The learning rate of the last step.
    pub learning_rate: f64,
}

impl<'a> Run<'a> {
    /// Builds the network and its recipe; nothing is written yet.
    ///
    /// # Errors
    /// When a name or a hyperparameter is not one the optimizer knows.
    pub fn new(args: &'a TrainArgs, out: &'a Path, images: &Images, n_steps: u64) -> Result<Self> {
        let net = models::lecture_cnn(args.dropout as f32).fuse(!args.no_fusion);
        let (net, params) = nn::build(net, args.seed);
        let normalize = args.normalize.then(|| images.normalize());
        Ok(Self {
            args,
            out,
            about: About::new(images.train.class_names(), normalize.as_ref()),
            normalize,
            recipe: Recipe::new(args, &params, n_steps, images.adam_lr)?,
            net,
            params,
            tape: Tape::new(),
            eval_tape: Tape::new(),
            step: 0,
            history: Vec::new(),
        })
    }

    /// The network as a table, and what it is trained by.
    pub fn introduction(&self) -> String {
        format!("{}\n{}", self.net.summary(&self.params, [1, 32, 32, 3]), self.recipe)
    }

    /// Batches in their order, as evaluation takes them.
    pub fn loader<'d>(&self, images: &'d dyn Dataset) -> Loader<'d> {
        let loader = Loader::new(images, self.args.batch_size);
        match &self.normalize {
            Some(normalize) => loader.normalize(normalize),
            None => loader,
        }
    }

    /// Batches in an order of their own for each epoch, augmented if so asked.
    pub fn training_loader<'d>(&self, images: &'d dyn Dataset) -> Loader<'d> {
        let loader = self.loader(images).shuffle(self.args.seed);
        if self.args.augment {
            loader.augment(Augment::flip_and_crop(CROP_PADDING), self.args.seed)
        } else {
            loader
        }
    }

    /// Trains for one epoch.
    ///
    /// # Errors
    /// When the data can no longer be read, or loss or gradient is no longer a number.
    pub fn train_epoch(&mut self, epoch: u64, epochs: u64, loader: &mut Loader<'_>) -> Result<EpochLoss> {
        let mut bar = EpochBar::new(format!("epoch {epoch:>2}/{epochs}"), loader.n_batches());
        let mut batch = Batch::new();
        let (mut sum_of_means, mut sum, mut n_batches, mut n_images) = (0.0, 0.0, 0, 0);
        let mut learning_rate = 0.0;
        while loader.next_into(&mut batch)? {
            let loss = f64::from(self.train_step(&batch));
            learning_rate = self.update(epoch, loss)?;
            (sum_of_means, n_batches) = (sum_of_means + loss, n_batches + 1);
            (sum, n_images) = (sum + loss * batch.len() as f64, n_images + batch.len());
            bar.step(batch.len(), sum_of_means / f64::from(n_batches));
        }
        let (of_batches, of_images) = (sum_of_means / f64::from(n_batches), sum / n_images as f64);
        Ok(EpochLoss { of_batches, of_images, learning_rate })
    }

    /// Forward and backward: the gradient of the batch's mean loss lands in the parameters.
    fn train_step(&mut self, batch: &Batch) -> f32 {
        let mut g = self.tape.begin(&mut self.params, Mode::train(self.args.seed, self.step));
        let x = g.input(batch.shape(), batch.images());
        let labels = g.indices(batch.labels());
        let logits = self.net.forward(&mut g, x);
        let loss = g.cross_entropy(logits, labels, Default::default());
        g.backward(loss);
        g.scalar(loss)
    }

    /// Moves the parameters along the gradient, unless loss or gradient is no number.
    fn update(&mut self, epoch: u64, loss: f64) -> Result<f64> {
        let gradients = self.recipe.check_gradients(&self.params);
        if !loss.is_finite() || gradients.is_err() {
            let what = match gradients {
                Err(error) if loss.is_finite() => format!("in the gradient, {error}"),
                _ => format!("the loss is {loss}"),
            };
            let kept = match self.history.last() {
                Some(last) => {
                    format!("the weights of epoch {} stand in {}", last.epoch, self.model_path().display())
                }
                None => "no epoch was finished, so no weights are kept".to_owned(),
            };
            bail!(
                "training stopped at step {} (epoch {epoch}): {what}; {kept}. Try a smaller --lr",
                self.step + 1
            );
        }
        let learning_rate = self.recipe.update(&mut self.params, self.step);
        self.step += 1;
        Ok(learning_rate)
    }

    /// The network on a set of images, in evaluation mode.
    ///
    /// # Errors
    /// When the data can no longer be read.
    pub fn evaluate(&mut self, loader: &mut Loader<'_>) -> Result<Evaluation> {
        let n_classes = self.about.classes.len();
        Evaluation::run(&self.net, &mut self.params, &mut self.eval_tape, loader, n_classes)
    }

    /// Writes the weights and the history so far.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn save(&self) -> Result<()> {
        model::save(&self.model_path(), &self.params, &self.about)?;
        let path = self.out.join("history.csv");
        history::write_csv(&path, &self.history).with_context(|| path.display().to_string())
    }

    /// The weights of this moment.
    pub fn weights(&self) -> &[f32] {
        self.params.values()
    }

    /// Puts weights back.
    pub fn restore(&mut self, weights: &[f32]) {
        self.params.values_mut().copy_from_slice(weights);
    }

    fn model_path(&self) -> PathBuf {
        self.out.join("model.safetensors")
    }
}
