//! `layer!`: declares a custom model, naming each of its layers only once.

/// Declares a custom layer built from others: the struct, its constructor and its computation.
///
/// Each field is a [`Child`](crate::Child) with the field's name, made by the expression after it from the
/// arguments in parentheses, which are those of `new`. `register` is generated;
/// [`Layer::forward`](crate::Layer::forward) is written as usual. The struct is [`Clone`] and
/// [`Debug`](std::fmt::Debug).
///
/// ```
/// use autograd::{Graph, Var};
/// use nn::{Linear, Sequential, Tanh, sequential};
///
/// nn::layer! {
///     /// y = up(tanh(down(x))) + x
///     struct Bottleneck(width: usize, hidden: usize) {
///         down: Sequential = sequential![Linear::new(width, hidden), Tanh],
///         up: Linear = Linear::new(hidden, width),
///     }
///
///     fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
///         g.add(self.up.forward(g, self.down.forward(g, x)), x)
///     }
/// }
///
/// let (_block, params) = nn::build(Bottleneck::new(8, 2), 0);
/// let names: Vec<_> = params.entries().iter().map(|entry| entry.name.as_str()).collect();
/// assert_eq!(names, ["down.0.weight", "down.0.bias", "up.weight", "up.bias"]);
/// ```
///
/// The signature of `forward` determines the input: a tensor, tokens ([`Indices`](autograd::Indices)), or
/// several of them as a tuple, `(x, noise): (Var, Var)`. A parameter of the layer's own is a field too, a
/// [`Parameter`](crate::Parameter). A layer with sizes or other fields implements [`Layer`](crate::Layer) by
/// hand.
#[macro_export]
macro_rules! layer {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $Name:ident($($arg:ident: $Arg:ty),* $(,)?) {
            $($(#[$child_attribute:meta])* $child:ident: $Child:ty = $made:expr),* $(,)?
        }

        fn forward(&$self:ident, $g:ident: $Graph:ty, $x:tt: $X:ty) -> $Y:ty $forward:block
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Debug)]
        $visibility struct $Name {
            $($(#[$child_attribute])* $child: $crate::Child<$Child>,)*
        }

        impl $Name {
            /// Creates the layer, not yet registered.
            #[allow(clippy::new_without_default)]
            $visibility fn new($($arg: $Arg),*) -> Self {
                Self { $($child: $crate::Child::new(stringify!($child), $made),)* }
            }
        }

        impl $crate::Layer<$X> for $Name {
            fn register(&mut self, scope: &mut $crate::Scope<'_>) {
                $(scope.layer(&mut self.$child);)*
            }

            fn forward(&$self, $g: $Graph, $x: $X) -> $Y $forward
        }
    };
}
