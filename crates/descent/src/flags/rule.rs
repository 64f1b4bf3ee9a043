//! Every hyperparameter of every update rule and schedule as a flag.

use anyhow::{Result, ensure};
use clap::Args;
use classifier::ranges::{any_number, any_size, not_negative, within};
use serde::Serialize;

/// A struct of optional numbers and switches, each with a flag of its name.
macro_rules! numbers {
    (
        $(#[$meta:meta])*
        $Name:ident by $parser:ident { $($(#[$doc:meta])+ $field:ident;)+ }
        $(switches { $($(#[$switch_doc:meta])+ $switch:ident;)+ })?
        $(and $(#[$rest_meta:meta])+ $rest:ident: $Rest:ty)*
    ) => {
        #[derive(Clone, Debug, Default, PartialEq, Args, Serialize)]
        $(#[$meta])*
        pub struct $Name {
            $($(#[$doc])+ #[arg(long, value_name = "X", value_parser = $parser)] pub $field: Option<f64>,)+
            $($(
                $(#[$switch_doc])+
                #[arg(
                    long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
                    default_missing_value = "true", value_parser = ["true", "false"]
                )]
                pub $switch: Option<String>,
            )+)?
            $($(#[$rest_meta])+ pub $rest: $Rest,)*
        }

        impl $Name {
            /// The numbers that were given, with their names.
            pub fn numbers(&self) -> impl Iterator<Item = (&'static str, f64)> + use<> {
                [$((stringify!($field), self.$field)),+].into_iter().filter_map(|(name, x)| Some((name, x?)))
            }

            $(
                /// All switches, with their names.
                fn switches(&self) -> impl Iterator<Item = (&'static str, Option<String>)> + use<> {
                    [$((stringify!($switch), self.$switch.clone())),+].into_iter()
                }
            )?
        }
    };
}

numbers! {
    /// The hyperparameters of an update rule besides its learning rate, weight decay and momentum. A flag
    /// that the rule does not have is an error that lists those it has.
    #[command(next_help_heading = "Hyperparameters of the update rule")]
    RuleFlags by any_number {
        /// Decay of the running mean of the gradient: adam and its relatives, lion, lamb
        beta1;
        /// Decay of the running mean of the squared gradient; for lion of the stored mean, for adan of the
        /// mean change
        beta2;
        /// Decay of the third running mean: adan
        beta3;
        /// Term added to a denominator
        eps;
        /// Dampening of the momentum: sgd
        dampening;
        /// Decay of the running mean square: rmsprop; power of the learning rate: asgd
        alpha;
        /// Decay of the running mean squares: adadelta
        rho;
        /// Decay of the learning rate over the steps: adagrad
        lr_decay;
        /// Initial value of the sums of squares: adagrad
        initial_accumulator_value;
        /// Decay of the momentum: nadam
        momentum_decay;
        /// Factor of the step size when the gradient changes sign: rprop
        eta_minus;
        /// Factor of the step size when the gradient keeps its sign: rprop
        eta_plus;
        /// Smallest step: rprop
        step_size_min;
        /// Largest step: rprop
        step_size_max;
        /// Decay term: asgd
        lambd;
        /// Step at which averaging begins: asgd
        t0;
        /// Smallest scale of a step: adafactor
        eps2;
        /// Largest root mean square of a step: adafactor
        d;
        /// Exponent of the decay: adafactor
        beta2_decay;
        /// Lower bound of the weights' norm: lamb
        norm_min;
        /// Upper bound of the weights' norm: lamb
        norm_max;
        /// Step length as a fraction of the weights' norm: lars
        trust_coefficient;
        /// First coefficient of the Newton-Schulz step: muon
        ns_coefficient_a;
        /// Second coefficient of the Newton-Schulz step: muon
        ns_coefficient_b;
        /// Third coefficient of the Newton-Schulz step: muon
        ns_coefficient_c;
    }
    switches {
        /// Nesterov's momentum: sgd, muon
        nesterov;
        /// Average the gradients instead of adding them up: sgd
        averaged;
        /// Divide by the variance of the gradient: rmsprop
        centered;
        /// Divide by the largest mean square so far: adam, adamw
        amsgrad;
        /// Decouple weight decay from the gradient: adam, nadam, radam
        decoupled_weight_decay;
        /// Correct the bias of the running means in the first steps: adam
        bias_correction;
    }
    and
    /// Number of Newton-Schulz steps: muon
    #[arg(long, value_name = "N", value_parser = within::<0, 99>)]
    ns_steps: Option<usize>
    and
    /// Scaling of the step by the matrix's shape: muon
    #[arg(long, value_name = "HOW", value_parser = ["original", "match_rms_adamw", "spectral_unclamped"])]
    adjust_lr: Option<String>
    and
    /// Steps between rescalings of the weights to norm √rows: muon
    #[arg(long, value_name = "STEPS", value_parser = any_size)]
    rescale_every: Option<usize>
}

impl RuleFlags {
    /// All values that were given, by name and as text; numbers first, since a switch may need one.
    pub fn given(&self) -> Vec<(&'static str, String)> {
        let numbers = self.numbers().map(|(name, x)| (name, x.to_string()));
        let others = [
            ("ns_steps", self.ns_steps.map(|n| n.to_string())),
            ("adjust_lr", self.adjust_lr.clone()),
            ("rescale_every", self.rescale_every.map(|n| n.to_string())),
        ];
        let texts = self.switches().chain(others).filter_map(|(name, text)| Some((name, text?)));
        numbers.chain(texts).collect()
    }
}

numbers! {
    /// The hyperparameters of a schedule besides its learning rate and the length of the run. Lengths are in
    /// epochs. A flag that the schedule does not have is an error that lists those it has.
    #[command(next_help_heading = "Hyperparameters of the schedule")]
    ScheduleFlags by not_negative {
        /// Epochs of warm-up before the schedule, from --warmup-start; for noam and trapezoid, the schedule's
        /// own warm-up [default: 0; a tenth of the run for noam, a twentieth for trapezoid]
        warmup;
        /// Fraction of the learning rate at which warm-up starts [default: 0]
        warmup_start;
        /// Factor of each decay: step, multi-step; of each epoch: exponential
        gamma;
        /// Epochs between two decays: step
        step_size;
        /// Power of the decay: polynomial
        power;
        /// Epochs to the minimum: cosine
        t_max;
        /// Epochs of the first period: cosine-restarts
        t_0;
        /// Factor between periods: cosine-restarts
        t_mult;
        /// Smallest learning rate: cosine, cosine-restarts
        eta_min;
        /// Fraction of the learning rate at the start: linear
        start_factor;
        /// Fraction of the learning rate at the end: linear
        end_factor;
        /// Lowest learning rate of a cycle: cyclic
        base_lr;
        /// Epochs of increase: cyclic
        step_size_up;
        /// Epochs of decrease: cyclic
        step_size_down;
        /// Fraction of the run with an increasing rate: one-cycle
        pct_start;
        /// Ratio of the largest to the first learning rate: one-cycle
        div_factor;
        /// Ratio of the first to the last learning rate: one-cycle
        final_div_factor;
        /// Epochs of the final decay: trapezoid
        decay;
        /// Learning rate at the end: trapezoid
        final_lr;
    }
    and
    /// Epochs after which the learning rate decays, as in 30,40: multi-step
    #[arg(long, value_name = "EPOCHS", value_parser = milestones)]
    milestones: Option<String>
}

/// Whether the schedule has a warm-up of its own, from 0.
fn warms_up_itself(name: &str) -> bool {
    name == "noam" || name == "trapezoid"
}

/// Epochs separated by commas.
fn milestones(text: &str) -> Result<String, String> {
    let is_sound = text.split(',').all(|epoch| not_negative(epoch).is_ok());
    if is_sound {
        Ok(text.to_owned())
    } else {
        Err("expected epochs separated by commas, as in 30,40".into())
    }
}

impl ScheduleFlags {
    /// All values that were given except the warm-up: the flag's name and the schedule's, and the value,
    /// lengths in steps.
    pub fn given(&self, name: &str, steps_per_epoch: u64) -> Vec<(&'static str, &'static str, Vec<f64>)> {
        let steps = |epochs: f64| (epochs * steps_per_epoch as f64).round();
        let mut given: Vec<_> = self
            .numbers()
            .filter_map(|(flag, x)| {
                let (name, x) = match flag {
                    "warmup" if warms_up_itself(name) => ("warmup_steps", steps(x)),
                    "warmup" | "warmup_start" => return None,
                    "decay" => ("decay_steps", steps(x)),
                    "step_size" | "t_max" | "t_0" | "step_size_up" | "step_size_down" => {
                        (flag, steps(x).max(1.0))
                    }
                    "gamma" if name == "exponential" => (flag, x.powf(1.0 / steps_per_epoch.max(1) as f64)),
                    _ => (flag, x),
                };
                Some((flag, name, vec![x]))
            })
            .collect();
        if let Some(milestones) = &self.milestones {
            let epochs = milestones.split(',').filter_map(|epoch| epoch.parse().ok());
            given.push(("milestones", "milestones", epochs.map(steps).collect()));
        }
        given
    }

    /// Rejects `--warmup-start` if no schedule with one of these names has a warm-up before it.
    ///
    /// # Errors
    /// When the start has no effect.
    pub fn check_effect<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let has_warmup = self.warmup.is_some_and(|epochs| epochs > 0.0)
            && names.into_iter().any(|name| !warms_up_itself(name));
        ensure!(
            self.warmup_start.is_none() || has_warmup,
            "--warmup-start needs --warmup, and a schedule other than noam and trapezoid, whose own warm-up \
             starts at 0"
        );
        Ok(())
    }

    /// The steps of warm-up before a schedule without its own, and the fraction at which it starts.
    pub fn warmup(&self, name: &str, steps_per_epoch: u64) -> (u64, f64) {
        let epochs = if warms_up_itself(name) { 0.0 } else { self.warmup.unwrap_or(0.0) };
        ((epochs * steps_per_epoch as f64).round() as u64, self.warmup_start.unwrap_or(0.0))
    }
}
