//! The files of a run besides checkpoints: weights, history, settings, and results.

use anyhow::{Context, Result, ensure};
use classifier::output::warn;
use classifier::{Evaluation, model};
use data::{Dataset, Loader};
use foreign_text::{Foreign, shown_path};
use optim::Verdict;
use serde_json::{Value, json};
use tensor::{SIMD_VARIABLE, SimdLevel};

use super::Run;
use crate::cli::Settings;
use crate::config_file::{self, RUN};
use crate::flags::ViewsFlag;
use crate::history::{self, Epoch};
use crate::machine;

const MODEL: &str = "model.safetensors";

const HISTORY: &str = "history.csv";

const CONFIG: &str = "config.json";

const RESULT: &str = "result.json";

impl Run<'_> {
    /// Writes the settings of the run, defaults included, with machine and time.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save_config(&self, seconds: Option<f64>) -> Result<()> {
        if !self.ranks.is_first() {
            return Ok(());
        }
        let settings = &self.args.settings;
        let mut args = self.args.clone();
        args.settings.epochs = Some(self.epochs);
        args.settings.lr = Some(settings.learning_rate(self.adam_lr));
        args.session.out = Some(self.folder.path().to_owned());
        let mut record = serde_json::to_value(args).expect("flags are JSON");
        let mut weights_sha256: Value = self.weights_sha256.clone().into();
        // A resumed run ignores --weights: the record keeps those that the run began with.
        if self.saved_step.is_some()
            && let Some((weights, sha256)) = config_file::weights_of(&self.folder.path().join(CONFIG))
        {
            record["weights"] = weights;
            weights_sha256 = sha256;
        }
        let normalize = self.normalize.as_ref().map(|by| json!({"mean": by.mean, "std": by.std}));
        record[RUN] = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "processor": machine::processor(),
            "instruction_set": SimdLevel::current().name(),
            "threads": rayon::current_num_threads(),
            "ranks": self.ranks.size(),
            // The values in effect of flags that were not given.
            "recipe": self.recipe_name,
            "training": self.recipe.to_string(),
            "optimizer": self.recipe.values(),
            "watch_test": self.watches_test,
            "normalize": normalize,
            "flip": settings.augmentation.flip(),
            "crop": settings.augmentation.padding(),
            "shards": self.ranks.n_shards(settings.batch_size),
            "started": humantime::format_rfc3339_seconds(self.started).to_string(),
            "seconds": seconds,
            "data_sha256": self.config.data(),
            "weights_sha256": weights_sha256,
        });
        self.write(CONFIG, &serde_json::to_string_pretty(&record).expect("flags are JSON"))
    }

    /// Warns of what keeps this run from having the bits of the one that `--config` records.
    pub fn compare_with_record(&self) {
        let Some(record) = &self.args.session.config else { return };
        let differs = |key: &str, now: &str| config_file::of_run(record, key).filter(|then| then != now);
        if differs("data_sha256", self.config.data()).is_some() {
            warn("warning: the images are not those of the run being repeated");
        }
        // A resumed run ignores --weights, and its checkpoint tells the instruction set.
        if self.saved_step.is_some() {
            return;
        }
        if self.weights_sha256.as_ref().is_some_and(|now| differs("weights_sha256", now).is_some()) {
            warn("warning: the weights to start from are not those of the run being repeated");
        }
        let current = SimdLevel::current().name();
        if let Some(then) = differs("instruction_set", current) {
            warn(format_args!(
                "warning: the run being repeated was computed with {}, and this one with {current}: the results will \
                 not be bit-identical ({SIMD_VARIABLE} sets the instruction set)",
                Foreign::new(&then)
            ));
        }
        let current = env!("CARGO_PKG_VERSION");
        if let Some(then) = differs("version", current) {
            warn(format_args!(
                "warning: the run being repeated was computed by version {} of this program, and this is {current}: \
                 the results may not be bit-identical",
                Foreign::new(&then)
            ));
        }
    }

    /// Evaluates the network on a set of images, with the averaged weights if there are any.
    ///
    /// # Errors
    /// When the data can no longer be read.
    pub fn evaluate(&mut self, loader: &mut Loader<'_>) -> Result<Evaluation> {
        let n_classes = self.about.classes.len();
        self.with_average(|run| {
            let Self { net, params, eval_tape, ranks, .. } = run;
            Evaluation::run_in_parts(net, params, eval_tape, loader, n_classes, ranks)
        })
    }

    /// The last evaluation, in the views that `--tta` selects.
    ///
    /// # Errors
    /// When the data can no longer be read.
    pub fn evaluate_in_views(&mut self, images: &dyn Dataset) -> Result<Evaluation> {
        let Settings { views, batch_size, .. } = self.args.settings;
        if views.tta == ViewsFlag::None {
            return self.evaluate(&mut self.loader(images));
        }
        let asking = views.asking(self.normalize.as_ref());
        self.with_average(|run| {
            let Self { net, params, eval_tape, ranks, .. } = run;
            asking.evaluate(net, params, eval_tape, images, batch_size, ranks)
        })
    }

    /// The run's result: the evaluation `judged` on the set `part`, training time and total time, and the
    /// machine.
    pub fn result(&self, judged: &Evaluation, part: &str) -> Value {
        let score = judged.score();
        json!({
            "part": part, "loss": score.loss, "accuracy": score.accuracy / 100.0, "seed": self.args.settings.seed,
            "epochs": self.state.epoch, "steps": self.state.step, "training_seconds": self.training_seconds(),
            "total_seconds": self.total_seconds(), "processor": machine::name_of_processor(),
            "threads": rayon::current_num_threads(), "ranks": self.ranks.size(),
        })
    }

    /// Seconds of training, excluding evaluation and everything else.
    pub fn training_seconds(&self) -> f64 {
        self.state.history.iter().map(|epoch| epoch.seconds).sum()
    }

    /// Writes the run's result.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save_result(&self, result: &Value) -> Result<()> {
        self.write(RESULT, &serde_json::to_string_pretty(result).expect("numbers and names are JSON"))
    }

    /// Writes a file in the run's folder, if this is the writing process.
    fn write(&self, name: &str, text: &str) -> Result<()> {
        if !self.ranks.is_first() {
            return Ok(());
        }
        let path = self.folder.path().join(name);
        atomic_file::write(&path, text.as_bytes())
            .with_context(|| format!("cannot write {}", shown_path(&path)))
    }

    /// Records the measurements of an epoch, and writes weights, history and, if one is due, a checkpoint.
    ///
    /// # Errors
    /// When a file cannot be written, the weights are not finite, or a signal asks to stop.
    pub fn finish_epoch(&mut self, measured: Epoch) -> Result<()> {
        self.state.history.push(measured);
        // The history is kept even if the run ends here because its weights are not finite.
        let is_finite = self.is_finite();
        if matches!(is_finite, Ok(true)) {
            self.with_average(|run| run.save_model())?;
        }
        self.save_history()?;
        is_finite?;
        let mut is_best = false;
        if let Some(score) = measured.validation {
            let verdict = self.with_average(|run| run.stopper.observe(score.loss, run.params.values()));
            is_best = verdict == Verdict::Improved;
        }
        if is_best {
            self.state.best_step = Some(self.state.step);
        }
        if is_best || self.is_over() || self.is_checkpoint_due(true) {
            self.save_checkpoint()
        } else {
            Ok(())
        }
    }

    /// Restores the final weights: the best on the validation set, else the average, else the last. Writes
    /// them if the last epoch wrote others; a run that resumes at its end writes model and history, since
    /// those in the folder may be missing or of other flags. Returns the epoch of the best, from 1.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn take_final_weights(&mut self) -> Result<Option<u64>> {
        self.recipe.take_average(&mut self.params);
        let best = self.stopper.best_epoch();
        if best.is_some() {
            self.stopper.restore_best(self.params.values_mut());
        }
        let ends_an_epoch = self.looked_at.is_some_and(|(step, _)| step == self.state.step);
        let is_missing = !self.folder.path().join(MODEL).exists();
        if (best.is_some() || is_missing || !ends_an_epoch) && self.weights_are_finite() {
            self.save_model()?;
        }
        if !ends_an_epoch {
            self.save_history()?;
        }
        Ok(best.map(|best| best + 1))
    }

    /// Checks that the run produced a usable network.
    ///
    /// # Errors
    /// When its final weights, or its outputs in their evaluation, are NaN or infinite.
    pub fn check_end(&self, test: &Evaluation) -> Result<()> {
        ensure!(
            self.weights_are_finite(),
            "the run has ended with weights that are NaN or infinite and were not saved; {}",
            self.way_on()
        );
        test.check_finite().with_context(|| format!("the run has ended, but {}", self.way_on()))
    }

    fn save_model(&self) -> Result<()> {
        if !self.ranks.is_first() {
            return Ok(());
        }
        model::save(&self.folder.path().join(MODEL), &self.params, &self.about)
    }

    fn save_history(&self) -> Result<()> {
        if !self.ranks.is_first() {
            return Ok(());
        }
        history::write_csv(&self.folder.path().join(HISTORY), &self.state.history)
    }
}
