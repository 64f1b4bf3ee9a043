//! Every hyperparameter of every update rule and schedule as a flag.

use clap::Args;
use classifier::ranges::{any_number, any_size, not_negative, within};
use serde::Serialize;

/// A struct of numbers that may be given, each with a flag of its name.
macro_rules! numbers {
    (
        $(#[$meta:meta])*
        $Name:ident by $parser:ident { $($(#[$doc:meta])+ $field:ident;)+ }
        $(and $(#[$rest_meta:meta])+ $rest:ident: $Rest:ty)*
    ) => {
        #[derive(Clone, Debug, Default, PartialEq, Args, Serialize)]
        $(#[$meta])*
        pub struct $Name {
            $($(#[$doc])+ #[arg(long, value_name = "X", value_parser = $parser)] pub $field: Option<f64>,)+
            $($(#[$rest_meta])+ pub $rest: $Rest,)*
        }

        impl $Name {
            /// The numbers that were given, by their names.
            pub fn numbers(&self) -> impl Iterator<Item = (&'static str, f64)> + use<> {
                [$((stringify!($field), self.$field)),+].into_iter().filter_map(|(name, x)| Some((name, x?)))
            }
        }
    };
}

numbers! {
    /// What an update rule has beside its learning rate, weight decay and momentum. A flag that the rule does not have is
    /// an error which lists those that it has.
    #[command(next_help_heading = "Hyperparameters of the update rule [default: the rule's own]")]
    RuleFlags by any_number {
        /// Decay of the mean of the gradient: adam and its kin, lion, lamb
        beta1;
        /// Decay of the mean of its square
        beta2;
        /// Decay of the third mean: adan
        beta3;
        /// What is added to a divisor
        eps;
        /// Dampening of the momentum: sgd
        dampening;
        /// Decay of the mean square of rmsprop; asgd: the power of its learning rate
        alpha;
        /// Decay of the mean squares: adadelta
        rho;
        /// Decay of the learning rate over the steps: adagrad
        lr_decay;
        /// Where the sums of squares begin: adagrad
        initial_accumulator_value;
        /// The decay of the momentum: nadam
        momentum_decay;
        /// The factor of a step against the one before: rprop
        eta_minus;
        /// The factor of a step along the one before: rprop
        eta_plus;
        /// The smallest step: rprop
        step_size_min;
        /// The largest step: rprop
        step_size_max;
        /// The decay term: asgd
        lambd;
        /// The step at which averaging begins: asgd
        t0;
        /// The smallest scale of a step: adafactor
        eps2;
        /// The largest root mean square of a step: adafactor
        d;
        /// The exponent of the decay: adafactor
        beta2_decay;
        /// The least norm of weights that counts: lamb
        norm_min;
        /// The largest norm of weights that counts: lamb
        norm_max;
        /// The part of a weight's norm that a step may be: lars
        trust_coefficient;
        /// The first coefficient of the Newton-Schulz step: muon
        ns_coefficient_a;
        /// The second
        ns_coefficient_b;
        /// The third
        ns_coefficient_c;
    }
    and
    /// Nesterov's momentum: sgd, muon
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = ["true", "false"])]
    nesterov: Option<String>
    and
    /// Average the gradients instead of adding them up: sgd
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = ["true", "false"])]
    averaged: Option<String>
    and
    /// Divide by the variance of the gradient: rmsprop
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = ["true", "false"])]
    centered: Option<String>
    and
    /// Divide by the largest mean square so far: adam, adamw
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = ["true", "false"])]
    amsgrad: Option<String>
    and
    /// Decay the weights themselves: adam, nadam, radam
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = ["true", "false"])]
    decoupled_weight_decay: Option<String>
    and
    /// Correct the bias of the first steps' means: adam
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = ["true", "false"])]
    bias_correction: Option<String>
    and
    /// Newton-Schulz steps: muon
    #[arg(long, value_name = "N", value_parser = within::<0, 99>)]
    ns_steps: Option<usize>
    and
    /// How the step follows the shape: muon
    #[arg(long, value_name = "HOW", value_parser = ["original", "match_rms_adamw", "spectral_unclamped"])]
    adjust_lr: Option<String>
    and
    /// Bring the weights to the norm √rows before every so many steps: muon
    #[arg(long, value_name = "STEPS", value_parser = any_size)]
    rescale_every: Option<usize>
}

impl RuleFlags {
    /// All that was given, by name and as text; numbers first, since a switch may need one.
    pub fn given(&self) -> Vec<(&'static str, String)> {
        let numbers = self.numbers().map(|(name, x)| (name, x.to_string()));
        let texts = [
            ("nesterov", self.nesterov.clone()),
            ("averaged", self.averaged.clone()),
            ("centered", self.centered.clone()),
            ("amsgrad", self.amsgrad.clone()),
            ("decoupled_weight_decay", self.decoupled_weight_decay.clone()),
            ("bias_correction", self.bias_correction.clone()),
            ("ns_steps", self.ns_steps.map(|n| n.to_string())),
            ("adjust_lr", self.adjust_lr.clone()),
            ("rescale_every", self.rescale_every.map(|n| n.to_string())),
        ];
        numbers.chain(texts.into_iter().filter_map(|(name, text)| Some((name, text?)))).collect()
    }
}

numbers! {
    /// What a schedule has beside its learning rate and the length of the run. Lengths are in epochs. A flag that the
    /// schedule does not have is an error which lists those that it has.
    #[command(next_help_heading = "Hyperparameters of the schedule [default: what fits the run]")]
    ScheduleFlags by not_negative {
        /// Epochs of a way up in front of the schedule, from --warmup-start; in noam and trapezoid their own [default: 0]
        warmup;
        /// The part of the learning rate that the way up begins with [default: 0]
        warmup_start;
        /// The factor of each decay: step, multi-step; of each epoch: exponential
        gamma;
        /// Epochs between two decays: step
        step_size;
        /// The power of the way down: polynomial
        power;
        /// Epochs to the minimum: cosine
        t_max;
        /// Epochs of the first period: cosine-restarts
        t_0;
        /// The factor between periods: cosine-restarts
        t_mult;
        /// The smallest learning rate: cosine, cosine-restarts
        eta_min;
        /// The part of the learning rate at the start: linear
        start_factor;
        /// The part of it at the end: linear
        end_factor;
        /// The learning rate at the foot of a cycle: cyclic
        base_lr;
        /// Epochs up: cyclic
        step_size_up;
        /// Epochs down: cyclic
        step_size_down;
        /// The part of the run on the way up: one-cycle
        pct_start;
        /// The largest over the first learning rate: one-cycle
        div_factor;
        /// The first over the last learning rate: one-cycle
        final_div_factor;
        /// Epochs of the way down at the end: trapezoid
        decay;
        /// The learning rate at the end: trapezoid
        final_lr;
    }
    and
    /// Epochs after which the learning rate decays, as in 30,40: multi-step
    #[arg(long, value_name = "EPOCHS", value_parser = milestones)]
    milestones: Option<String>
}

/// Epochs between commas.
fn milestones(text: &str) -> Result<String, String> {
    let is_sound = text.split(',').all(|epoch| not_negative(epoch).is_ok());
    if is_sound { Ok(text.to_owned()) } else { Err("expected epochs between commas, as in 30,40".into()) }
}

impl ScheduleFlags {
    /// All that was given but the way up, by the names that the schedules have, lengths in steps.
    pub fn given(&self, name: &str, steps_per_epoch: u64) -> Vec<(&'static str, Vec<f64>)> {
        let steps = |epochs: f64| (epochs * steps_per_epoch as f64).round();
        let mut given: Vec<_> = self
            .numbers()
            .filter_map(|(flag, x)| match flag {
                "warmup" if name == "noam" || name == "trapezoid" => Some(("warmup_steps", steps(x))),
                "warmup" | "warmup_start" => None,
                "decay" => Some(("decay_steps", steps(x))),
                "step_size" | "t_max" | "t_0" | "step_size_up" | "step_size_down" => {
                    Some((flag, steps(x).max(1.0)))
                }
                "gamma" if name == "exponential" => Some((flag, x.powf(1.0 / steps_per_epoch.max(1) as f64))),
                _ => Some((flag, x)),
            })
            .map(|(flag, x)| (flag, vec![x]))
            .collect();
        if let Some(milestones) = &self.milestones {
            let epochs = milestones.split(',').filter_map(|epoch| epoch.parse().ok());
            given.push(("milestones", epochs.map(steps).collect()));
        }
        given
    }

    /// The steps of the way up in front of a schedule that has none of its own, and where it begins.
    pub fn warmup(&self, name: &str, steps_per_epoch: u64) -> (u64, f64) {
        let epochs = if name == "noam" || name == "trapezoid" { 0.0 } else { self.warmup.unwrap_or(0.0) };
        ((epochs * steps_per_epoch as f64).round() as u64, self.warmup_start.unwrap_or(0.0))
    }
}
