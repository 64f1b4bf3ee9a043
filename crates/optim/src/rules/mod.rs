//! The update rules, one file each: formula, paper, code.

mod adam;
mod adamw;
mod direction;
mod rmsprop;
mod sgd;

pub use adam::Adam;
pub use adamw::AdamW;
pub use rmsprop::RmsProp;
pub use sgd::Sgd;

use direction::Direction;

/// Implements [`Rule`](crate::Rule) from one table: name, range and field of each numeric hyperparameter.
/// What must hold between fields stands behind `where`.
macro_rules! hyperparameters {
    ($rule:ident $name:literal { $($field:literal in $interval:ident: $($path:tt).+;)+ }
     $(where $(|$this:ident| $holds:expr => $says:literal;)+)?) => {
        impl $crate::Rule for $rule {
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
                    if !$holds {
                        return Err($crate::Error::Combination { owner: $name, rule: $says });
                    }
                })+)?
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
    Elementwise: Sgd, RmsProp, Adam, AdamW;
}
