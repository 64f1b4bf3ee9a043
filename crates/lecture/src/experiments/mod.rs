//! The experiments: one file each, and the table that puts them in the order of the story.
//!
//! An experiment is one file: a struct of its parameters, which are its flags, and [`Experiment::run`], which
//! computes with this project's crates and reports its results to a [`Section`]. To add one:
//!
//! 1. Write `my_topic.rs` in this folder:
//!
//!    ```ignore
//!    /// Flags; every one has a default.
//!    #[derive(Clone, Debug, PartialEq, clap::Args)]
//!    pub struct MyTopic {
//!        /// Seed of everything random
//!        #[arg(long, value_name = "N", default_value_t = 1)]
//!        pub seed: u64,
//!    }
//!
//!    impl Experiment for MyTopic {
//!        const TITLE: &'static str = "My topic";
//!
//!        fn run(&self, section: &mut Section) -> anyhow::Result<()> {
//!            let numbers = self.measure();
//!            section.text("Markdown, with formulas in TeX: $y = x^2$.");
//!            section.figure("curve", viz::Figure::new("…").line("loss", &xs, &ys), "What to see in it.")?;
//!            section.table("ends", "Where it ends.", Table::new(["start", "end"]).row([1.5.into(), x.into()]));
//!            Ok(())
//!        }
//!    }
//!    ```
//! 2. Add `mod my_topic;` and, at its place in the story, a line in the table of experiments below. Its name
//!    is then `my-topic`; the page shows the file's source automatically.
//!
//! What `run` measures should be a separate method that returns numbers a test can check. A number on the
//! page comes from the run, never from the text. Statements about the numbers of the run without flags go
//! through [`Section::told`], which leaves them out when there are flags. A section ends with exercises, each
//! with its command, and with references. An experiment writes no files: the section collects them, and they
//! are written when everything has succeeded.

pub mod dropout;
pub mod early_stopping;
pub mod linear_data;
pub mod weight_decay;

pub mod activations;
pub mod exploding_product;
pub mod gradient_norms;
pub mod normal_draws;
pub mod output_variance;
pub mod relu_stack;

pub mod adam;
pub mod learning_rate;
pub mod learning_rate_decay;
pub mod minima;
pub mod momentum;
pub mod range_test;
pub mod rmsprop;
pub mod surfaces;
pub mod valleys;

pub mod cnn;
pub mod cnn_inside;
pub mod cnn_mistakes;
pub mod cnn_training;
pub mod mc_dropout;
pub mod samples;
pub mod tuning;

use std::path::Path;

use anyhow::{Context, Result};
use clap::{Args, FromArgMatches, Subcommand};

use crate::page::Section;

/// An experiment: a struct of flags that computes numbers and reports them.
pub trait Experiment: Args + PartialEq {
    /// The heading of its section.
    const TITLE: &'static str;

    /// The same experiment on the images in a folder and the network in a file, if it uses either.
    #[must_use]
    fn on(self, data: Option<&Path>, model: Option<&Path>) -> Self {
        let _ = (data, model);
        self
    }

    /// Computes, and fills the section with text, figures and tables.
    ///
    /// # Errors
    /// When a flag's value cannot be used, or the data cannot be read.
    fn run(&self, section: &mut Section) -> Result<()>;
}

macro_rules! experiments {
    ($($chapter:literal { $($(#[$about:meta])+ $module:ident::$Name:ident;)+ })+) => {
        /// One experiment, with its flags.
        #[derive(Clone, Debug, Subcommand)]
        pub enum AnyExperiment {$($(
            $(#[$about])+
            $Name($module::$Name),
        )+)+}

        impl AnyExperiment {
            /// All of them with their defaults, in the order of the story.
            pub fn all() -> Vec<Self> {
                vec![$($(Self::$Name(defaults::<$module::$Name>()),)+)+]
            }

            /// The chapter it belongs to.
            pub fn chapter(&self) -> &'static str {
                match self {$($(Self::$Name(_) => $chapter,)+)+}
            }

            /// The same experiment on the images in a folder and the network in a file.
            #[must_use]
            pub fn on(self, data: Option<&Path>, model: Option<&Path>) -> Self {
                match self {$($(Self::$Name(experiment) => Self::$Name(experiment.on(data, model)),)+)+}
            }

            /// Runs the experiment.
            ///
            /// # Errors
            /// When the experiment fails; the error names it.
            pub fn run(&self) -> Result<Section> {
                match self {$($(Self::$Name(experiment) => {
                    let file = concat!(stringify!($module), ".rs");
                    let source = include_str!(concat!(stringify!($module), ".rs"));
                    let mut section = Section::new($chapter, stringify!($module), $module::$Name::TITLE);
                    section.is_default = *experiment == defaults();
                    let run = experiment.run(&mut section).and_then(|()| section.check());
                    run.with_context(|| section.name.clone())?;
                    section.source(&format!("crates/lecture/src/experiments/{file}"), source);
                    Ok(section)
                })+)+}
            }
        }
    };
}

experiments! {
    "Regularization" {
        /// A line in noise: the data that weight decay is shown on
        linear_data::LinearData;
        /// Two hundred weights, fifty samples, with and without a penalty
        weight_decay::WeightDecay;
        /// What dropout does to a layer, and the predictive uncertainty it shows
        dropout::Dropout;
        /// A noisy fit, stopped in time
        early_stopping::EarlyStopping;
    }
    "Gradients that vanish and explode" {
        /// Normal draws and their density
        normal_draws::NormalDraws;
        /// Products of many random matrices
        exploding_product::ExplodingProduct;
        /// Sigmoid, tanh, ReLU, leaky ReLU and their gradients
        activations::Activations;
        /// The variance of a layer's outputs; Xavier and He
        output_variance::OutputVariance;
        /// Thirty ReLU layers at a constant variance
        relu_stack::ReluStack;
        /// Gradient norms over depth, for three activations and three starts
        gradient_norms::GradientNorms;
    }
    "Descent" {
        /// Minima, an inflection and a saddle
        minima::Minima;
        /// Gradient descent on x²: too small, right and too large a learning rate
        learning_rate::LearningRate;
        /// Gradient descent among many valleys
        valleys::Valleys;
        /// Step decay of the learning rate
        learning_rate_decay::LearningRateDecay;
        /// Which learning rate a network can take
        range_test::RangeTest;
    }
    "Optimizers" {
        /// Momentum in both of its forms
        momentum::Momentum;
        /// RMSProp, with a short and a long memory
        rmsprop::Rmsprop;
        /// Adam, raw and corrected, and the table of corrections
        adam::Adam;
        /// SGD, momentum, RMSProp and Adam on a saddle, on Rosenbrock's and on Beale's function
        surfaces::Surfaces;
    }
    "A network that sees" {
        /// The images, and the batches they make
        samples::Samples;
        /// The convolutional network: layers, parameters, initial weights
        cnn::Cnn;
        /// Its training: fifty epochs on record, a few on the spot
        cnn_training::CnnTraining;
        /// The first filters, and the activations for an image
        cnn_inside::CnnInside;
        /// The confusion matrix and the most confident mistakes
        cnn_mistakes::CnnMistakes;
        /// Monte Carlo dropout: the network's uncertainty while an image is rotated
        #[command(alias = "cnn-doubt")] // its name before
        mc_dropout::McDropout;
        /// A random search that looks at the test set once
        tuning::Tuning;
    }
}

/// The experiment with its default flags.
pub fn defaults<E: Args + FromArgMatches>() -> E {
    let matches = E::augment_args(clap::Command::new("lecture")).get_matches_from(["lecture"]);
    E::from_arg_matches(&matches).expect("every flag of an experiment has a default")
}
