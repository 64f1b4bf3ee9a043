//! The lecture, its course, the book it draws on, and the papers: named and linked.

/// A reference: who wrote it, when, its title and its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Authors and year.
    pub by: &'static str,
    /// The title.
    pub title: &'static str,
    /// The web address.
    pub at: &'static str,
}

macro_rules! readings {
    ($($NAME:ident: $by:literal, $title:literal, $at:literal;)+) => {
        $(
            #[doc = concat!($by, ": ", $title, ", <", $at, ">.")]
            pub const $NAME: Reading = Reading { by: $by, title: $title, at: $at };
        )+

        /// All references.
        pub const ALL: &[Reading] = &[$($NAME,)+];
    };
}

readings! {
    LECTURE: "Ismayil Shahaliyev, 2025", "Python Code for Deep Learning Regularization and Optimization",
        "https://github.com/shahaliyev/shahaliyev.github.io/blob/main/assets/nb/regul_optim.ipynb";
    COURSE: "ADA University, spring 2025", "CSCI 4701: Deep Learning", "https://shahaliyev.org/csci4701/";
    D2L: "Zhang, Lipton, Li and Smola", "Dive into Deep Learning", "https://d2l.ai";

    D2L_WEIGHT_DECAY: "Dive into Deep Learning", "Weight Decay",
        "https://d2l.ai/chapter_linear-regression/weight-decay.html";
    D2L_DROPOUT: "Dive into Deep Learning", "Dropout",
        "https://d2l.ai/chapter_multilayer-perceptrons/dropout.html";
    D2L_STABILITY: "Dive into Deep Learning", "Numerical Stability and Initialization",
        "https://d2l.ai/chapter_multilayer-perceptrons/numerical-stability-and-init.html";
    D2L_MINIMA: "Dive into Deep Learning", "Optimization and Deep Learning",
        "https://d2l.ai/chapter_optimization/optimization-intro.html";
    D2L_GRADIENT_DESCENT: "Dive into Deep Learning", "Gradient Descent",
        "https://d2l.ai/chapter_optimization/gd.html";
    D2L_SCHEDULES: "Dive into Deep Learning", "Learning Rate Scheduling",
        "https://d2l.ai/chapter_optimization/lr-scheduler.html";
    D2L_MOMENTUM: "Dive into Deep Learning", "Momentum", "https://d2l.ai/chapter_optimization/momentum.html";
    D2L_RMSPROP: "Dive into Deep Learning", "RMSProp", "https://d2l.ai/chapter_optimization/rmsprop.html";
    D2L_ADAM: "Dive into Deep Learning", "Adam", "https://d2l.ai/chapter_optimization/adam.html";

    KROGH_HERTZ: "Krogh and Hertz, 1991", "A Simple Weight Decay Can Improve Generalization",
        "https://papers.nips.cc/paper/1991/hash/8eefcfdf5990e441f0fb6f3fad709e21-Abstract.html";
    LOSHCHILOV_HUTTER: "Loshchilov and Hutter, 2019", "Decoupled Weight Decay Regularization",
        "https://arxiv.org/abs/1711.05101";
    SRIVASTAVA: "Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, 2014",
        "Dropout: A Simple Way to Prevent Neural Networks from Overfitting",
        "https://jmlr.org/papers/v15/srivastava14a.html";
    BISHOP: "Bishop, 1995", "Training with Noise is Equivalent to Tikhonov Regularization",
        "https://www.microsoft.com/en-us/research/wp-content/uploads/2016/02/bishop-tikhonov-nc-95.pdf";
    GAL_GHAHRAMANI: "Gal and Ghahramani, 2016", "Dropout as a Bayesian Approximation",
        "https://arxiv.org/abs/1506.02142";
    PRECHELT: "Prechelt, 1998", "Early Stopping – But When?", "https://doi.org/10.1007/3-540-49430-8_3";
    BENGIO_1994: "Bengio, Simard and Frasconi, 1994",
        "Learning Long-Term Dependencies with Gradient Descent Is Difficult", "https://doi.org/10.1109/72.279181";
    GLOROT: "Glorot and Bengio, 2010", "Understanding the Difficulty of Training Deep Feedforward Neural Networks",
        "https://proceedings.mlr.press/v9/glorot10a.html";
    HE: "He, Zhang, Ren and Sun, 2015", "Delving Deep into Rectifiers", "https://arxiv.org/abs/1502.01852";
    MAAS: "Maas, Hannun and Ng, 2013", "Rectifier Nonlinearities Improve Neural Network Acoustic Models",
        "https://ai.stanford.edu/~amaas/papers/relu_hybrid_icml2013_final.pdf";
    ALEXNET: "Krizhevsky, Sutskever and Hinton, 2012",
        "ImageNet Classification with Deep Convolutional Neural Networks",
        "https://papers.nips.cc/paper/2012/hash/c399862d3b9d6b76c8436e924a68c45b-Abstract.html";
    DAUPHIN: "Dauphin et al., 2014",
        "Identifying and Attacking the Saddle Point Problem in High-Dimensional Non-Convex Optimization",
        "https://arxiv.org/abs/1406.2572";
    ROBBINS_MONRO: "Robbins and Monro, 1951", "A Stochastic Approximation Method",
        "https://doi.org/10.1214/aoms/1177729586";
    SMITH: "Smith, 2017", "Cyclical Learning Rates for Training Neural Networks",
        "https://arxiv.org/abs/1506.01186";
    POLYAK: "Polyak, 1964", "Some Methods of Speeding up the Convergence of Iteration Methods",
        "https://doi.org/10.1016/0041-5553(64)90137-5";
    SUTSKEVER: "Sutskever, Martens, Dahl and Hinton, 2013",
        "On the Importance of Initialization and Momentum in Deep Learning",
        "https://proceedings.mlr.press/v28/sutskever13.html";
    TIELEMAN_HINTON: "Tieleman and Hinton, 2012", "Lecture 6.5: RMSProp",
        "https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf";
    KINGMA_BA: "Kingma and Ba, 2015", "Adam: A Method for Stochastic Optimization",
        "https://arxiv.org/abs/1412.6980";
    ROSENBROCK: "Rosenbrock, 1960",
        "An Automatic Method for Finding the Greatest or Least Value of a Function",
        "https://doi.org/10.1093/comjnl/3.3.175";
    MORE: "Moré, Garbow and Hillstrom, 1981 (with Beale’s function)", "Testing Unconstrained Optimization Software",
        "https://doi.org/10.1145/355934.355936";
    CIFAR: "Krizhevsky, 2009", "The CIFAR-10 and CIFAR-100 data sets",
        "https://www.cs.toronto.edu/~kriz/cifar.html";
    LECUN: "LeCun, Bottou, Bengio and Haffner, 1998",
        "Gradient-Based Learning Applied to Document Recognition", "https://doi.org/10.1109/5.726791";
    ZEILER_FERGUS: "Zeiler and Fergus, 2014", "Visualizing and Understanding Convolutional Networks",
        "https://arxiv.org/abs/1311.2901";
    GUO: "Guo, Pleiss, Sun and Weinberger, 2017", "On Calibration of Modern Neural Networks",
        "https://arxiv.org/abs/1706.04599";
    BERGSTRA_BENGIO: "Bergstra and Bengio, 2012", "Random Search for Hyper-Parameter Optimization",
        "https://jmlr.org/papers/v13/bergstra12a.html";
    SNOEK: "Snoek, Larochelle and Adams, 2012",
        "Practical Bayesian Optimization of Machine Learning Algorithms", "https://arxiv.org/abs/1206.2944";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_named_once_and_has_an_address() {
        for (i, reading) in ALL.iter().enumerate() {
            assert!(reading.at.starts_with("https://") && !reading.at.contains([' ', '"']), "{reading:?}");
            assert!(ALL[..i].iter().all(|other| other.at != reading.at), "{reading:?}");
        }
    }
}
