//! The update rules, one file each: formula, paper, code.

// Element-wise rules, from simple to complex.
mod sgd;

mod asgd;
mod rprop;

mod adagrad;
mod rmsprop;

mod adadelta;
mod adam;
mod adamax;
mod adamw;
mod adan;
mod lion;
mod nadam;
mod radam;

// Whole-tensor rules.
mod adafactor;
mod lamb;
mod lars;
mod muon;

// Minimisers.
mod lbfgs;
mod strong_wolfe;

mod direction;
mod hyperparameters;

pub use lbfgs::{Lbfgs, LineSearch};
pub use muon::LrAdjustment;

/// The rules by name. This table defines their public paths, their conversions into
/// [`AnyRule`](crate::AnyRule) and the names that [`rule_named`] knows.
macro_rules! rules {
    ($($name:literal => $shape:ident $module:ident::$rule:ident;)+) => {
        $(pub use $module::$rule;)+

        $(into_any_rule!($shape $rule);)+

        /// The names that [`rule_named`] knows.
        pub const RULE_NAMES: &[&str] = &[$($name),+];

        /// The rule with this name and its default hyperparameters, which
        /// [`AnyRule::set`](crate::AnyRule::set) can change.
        ///
        /// ```
        /// let mut rule = optim::rule_named::<f32>("sgd")?;
        /// rule.set("momentum", 0.9)?;
        /// # Ok::<(), optim::Error>(())
        /// ```
        ///
        /// # Errors
        /// When there is no such rule; the message lists the names.
        pub fn rule_named<F: crate::Real>(name: &str) -> Result<crate::AnyRule<F>, crate::Error> {
            match name {
                $($name => Ok($rule::default().into()),)+
                _ => Err(crate::Error::UnknownName {
                    kind: "optimizer",
                    name: name.into(),
                    known: RULE_NAMES.join(", "),
                }),
            }
        }
    };
}

macro_rules! into_any_rule {
    // A generic rule implements its own conversion.
    (Generic $rule:ident) => {};
    ($shape:ident $rule:ident) => {
        impl<F: crate::Real> From<$rule> for crate::AnyRule<F> {
            fn from(rule: $rule) -> Self {
                Self::$shape(Box::new(rule))
            }
        }
    };
}

rules! {
    "sgd" => Elementwise sgd::Sgd;
    "asgd" => Elementwise asgd::Asgd;
    "rprop" => Elementwise rprop::Rprop;
    "adagrad" => Elementwise adagrad::Adagrad;
    "adadelta" => Elementwise adadelta::Adadelta;
    "rmsprop" => Elementwise rmsprop::RmsProp;
    "adam" => Elementwise adam::Adam;
    "adamw" => Elementwise adamw::AdamW;
    "adamax" => Elementwise adamax::Adamax;
    "nadam" => Elementwise nadam::NAdam;
    "radam" => Elementwise radam::RAdam;
    "lion" => Elementwise lion::Lion;
    "adan" => Elementwise adan::Adan;
    "adafactor" => WholeTensor adafactor::Adafactor;
    "lamb" => WholeTensor lamb::Lamb;
    "lars" => WholeTensor lars::Lars;
    "muon" => Generic muon::Muon;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_answers_to_its_name() {
        for name in RULE_NAMES {
            assert_eq!(rule_named::<f64>(name).unwrap().rule().name(), *name);
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known() {
        let message = rule_named::<f32>("adm").unwrap_err().to_string();
        assert!(message.starts_with("unknown optimizer `adm`; expected one of sgd, "), "{message}");
    }
}
