//! Rules by name, for a command line.

use crate::{
    Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, Adan, AnyRule, Asgd, Error, Lamb, Lars, Lion, Muon,
    NAdam, RAdam, Real, RmsProp, Rprop, Sgd,
};

macro_rules! registry {
    ($($name:literal => $rule:ident),+ $(,)?) => {
        /// The names that [`rule_named`] knows.
        pub const RULE_NAMES: &[&str] = &[$($name),+];

        /// The rule with this name and its default hyperparameters, to be changed by
        /// [`AnyRule::set`].
        ///
        /// ```
        /// let mut rule = optim::rule_named::<f32>("sgd")?;
        /// rule.set("momentum", 0.9)?;
        /// # Ok::<(), optim::Error>(())
        /// ```
        ///
        /// # Errors
        /// When there is no such rule; the message lists the names.
        pub fn rule_named<F: Real>(name: &str) -> Result<AnyRule<F>, Error> {
            match name {
                $($name => Ok($rule::default().into()),)+
                _ => Err(Error::UnknownName {
                    kind: "optimizer",
                    name: name.into(),
                    known: RULE_NAMES.join(", "),
                }),
            }
        }
    };
}
registry! {
    "sgd" => Sgd,
    "asgd" => Asgd,
    "rprop" => Rprop,
    "adagrad" => Adagrad,
    "adadelta" => Adadelta,
    "rmsprop" => RmsProp,
    "adam" => Adam,
    "adamw" => AdamW,
    "adamax" => Adamax,
    "nadam" => NAdam,
    "radam" => RAdam,
    "lion" => Lion,
    "adan" => Adan,
    "adafactor" => Adafactor,
    "lamb" => Lamb,
    "lars" => Lars,
    "muon" => Muon,
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
        assert!(message.starts_with("there is no optimizer named `adm`; there are sgd, "), "{message}");
    }
}
