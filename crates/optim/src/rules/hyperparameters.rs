//! The hyperparameters of a rule, by name and as text.

/// Implements [`Rule`](crate::Rule) from one table with the name, range (a constant of
/// [`Interval`](crate::Interval)) and field of each numeric hyperparameter. Non-numeric options of this crate
/// follow `options`, conditions between fields follow `where`, and a further check follows `also`.
///
/// ```
/// #[derive(Clone, Copy)]
/// struct Signum {
///     lr: f64,
///     betas: (f64, f64),
/// }
///
/// optim::hyperparameters! { Signum "signum" {
///     "lr" in NON_NEGATIVE: lr;
///     "beta1" in DECAY_RATE: betas.0;
///     "beta2" in DECAY_RATE: betas.1;
/// } where
///     |signum| signum.betas.0 <= signum.betas.1 => "beta1 must not be above beta2";
/// }
///
/// use optim::Rule;
/// let error = Signum { lr: 0.1, betas: (0.9, 1.0) }.check().unwrap_err();
/// assert!(error.to_string().contains("beta2"));
/// ```
#[macro_export]
macro_rules! hyperparameters {
    ($rule:ident $name:literal { $($field:literal in $interval:ident: $($path:tt).+;)+ }
     $(options { $($option:ident;)+ })?
     $(where $(|$this:ident| $holds:expr => $says:literal;)+)? $(also $check:path;)?) => {
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

            $(fn options(&self) -> Vec<(&'static str, String)> {
                use $crate::rules::hyperparameters::OptionText;
                vec![$((stringify!($option), self.$option.write())),+]
            }

            fn set_option(&mut self, name: &str, text: &str) -> Result<bool, &'static str> {
                use $crate::rules::hyperparameters::OptionText;
                match name {
                    $(stringify!($option) => self.$option.read(text)?,)+
                    _ => return Ok(false),
                }
                Ok(true)
            })?

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
pub(super) use hyperparameters;

/// A switch, a count or a choice, as text.
pub(super) trait OptionText {
    fn write(&self) -> String;

    fn read(&mut self, text: &str) -> Result<(), &'static str>;
}

impl OptionText for bool {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(&mut self, text: &str) -> Result<(), &'static str> {
        *self = text.parse().map_err(|_| "true or false")?;
        Ok(())
    }
}

impl OptionText for usize {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(&mut self, text: &str) -> Result<(), &'static str> {
        *self = text.parse().map_err(|_| "a whole number")?;
        Ok(())
    }
}
