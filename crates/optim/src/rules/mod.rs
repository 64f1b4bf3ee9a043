//! The update rules, one file each: formula, paper, code.

// Element-wise rules, from simple to involved.
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

pub use adadelta::Adadelta;
pub use adafactor::Adafactor;
pub use adagrad::Adagrad;
pub use adam::Adam;
pub use adamax::Adamax;
pub use adamw::AdamW;
pub use adan::Adan;
pub use asgd::Asgd;
pub use lamb::Lamb;
pub use lars::Lars;
pub use lbfgs::{Lbfgs, LineSearch};
pub use lion::Lion;
pub use muon::{LrAdjustment, Muon};
pub use nadam::NAdam;
pub use radam::RAdam;
pub use rmsprop::RmsProp;
pub use rprop::Rprop;
pub use sgd::Sgd;

use direction::Direction;

/// Implements [`Rule`](crate::Rule) from one table: name, range and field of each numeric hyperparameter.
/// What must hold between fields stands behind `where`, a further check behind `also`.
macro_rules! hyperparameters {
    ($rule:ident $(<$p:ident>)? $name:literal { $($field:literal in $interval:ident: $($path:tt).+;)+ }
     $(where $(|$this:ident| $holds:expr => $says:literal;)+)? $(also $check:path;)?) => {
        impl$(<$p: Send + Sync>)? $crate::Rule for $rule$(<$p>)? {
            fn name(&self) -> &'static str {
                $name
            }

            fn hyperparameters(&self) -> Vec<(&'static str, f64)> {
                vec![$(($field, self.$($path).+)),+]
            }

            fn hyperparameter_mut(&mut self, name: &str) -> Option<&mut f64> {
                match name {
                    $($field => Some(&mut self.$($path).+),)+
                    _ => None,
                }
            }

            fn check(&self) -> Result<(), $crate::Error> {
                $($crate::Interval::$interval.check($name, $field, self.$($path).+)?;)+
                $($({
                    let $this = self;
                    let holds: bool = $holds;
                    if !holds {
                        return Err($crate::Error::Combination { owner: $name, rule: $says });
                    }
                })+)?
                $($check(self)?;)?
                Ok(())
            }
        }
    };
}
use hyperparameters;

macro_rules! into_any_rule {
    ($($shape:ident: $($rule:ident),+;)+) => {$($(
        impl<F: crate::Real> From<$rule> for crate::AnyRule<F> {
            fn from(rule: $rule) -> Self {
                Self::$shape(Box::new(rule))
            }
        }
    )+)+};
}
into_any_rule! {
    Elementwise: Sgd, Asgd, Rprop, Adagrad, Adadelta, RmsProp, Adam, AdamW, Adamax, NAdam, RAdam, Lion, Adan;
    WholeTensor: Adafactor, Lamb, Lars;
}
