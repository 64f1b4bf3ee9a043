//! The losses, for the tests that hold for all of them.

use autograd::{
    BceOptions, BceWithLogitsOptions, CrossEntropyOptions, Graph, Indices, KlDivOptions, NllOptions,
    PoissonNllOptions, Reduction, TripletMarginOptions, Var,
};

/// Records a loss of two inputs `[n, classes]` between 0 and 1 and of n labels.
pub(crate) type Loss = fn(&Graph<'_>, [Var; 2], Indices, Reduction) -> Var;

/// Each loss, and each way that it takes through the code.
pub(crate) const LOSSES: &[Loss] = &[
    |g, [x, t], _, r| g.mse_loss(x, t, r),
    |g, [x, t], _, r| g.l1_loss(x, t, r),
    |g, [x, t], _, r| g.huber_loss(x, t, 0.5, r),
    |g, [x, t], _, r| g.smooth_l1_loss(x, t, r),
    |g, [x, t], _, r| g.poisson_nll_loss(x, t, r),
    |g, [x, t], _, reduction| {
        g.poisson_nll_loss(
            x,
            t,
            PoissonNllOptions { log_input: false, full: true, reduction, ..Default::default() },
        )
    },
    |g, [x, t], _, r| g.gaussian_nll_loss(x, t, g.add_scalar(x, 0.5), r),
    |g, [x, t], _, r| g.bce_loss(x, t, r),
    |g, [x, t], _, reduction| g.bce_loss(x, t, BceOptions { weight: Some(t), reduction }),
    |g, [x, t], _, r| g.bce_with_logits(x, t, r),
    |g, [x, t], _, reduction| {
        let one = g.input([1], &[2.0]);
        g.bce_with_logits(x, t, BceWithLogitsOptions { weight: Some(one), pos_weight: Some(t), reduction })
    },
    |g, [x, t], _, r| g.kl_div(x, t, r),
    |g, [x, t], _, reduction| g.kl_div(x, t, KlDivOptions { log_target: true, reduction }),
    |g, [x, t], _, r| g.hinge_embedding_loss(x, t, r),
    |g, [x, t], _, r| g.margin_ranking_loss(x, t, x, r),
    |g, [x, t], _, r| g.cosine_embedding_loss(x, t, g.pow(g.sum_axes(x, 1, false), 0.0), r),
    |g, [x, t], _, r| g.triplet_margin_loss([x, t, g.neg(t)], r),
    |g, [x, t], _, reduction| {
        let options = TripletMarginOptions { p: 3.0, swap: true, reduction, ..Default::default() };
        g.triplet_margin_loss([x, t, g.neg(t)], options)
    },
    |g, [x, _], labels, r| g.multi_margin_loss(x, labels, r),
    |g, [x, _], labels, r| g.nll_loss(x, labels, r),
    |g, [x, _], labels, reduction| {
        g.nll_loss(x, labels, NllOptions { ignore_index: Some(0), reduction, ..Default::default() })
    },
    |g, [x, _], labels, r| g.cross_entropy_with(x, labels, r),
    |g, [x, _], labels, reduction| {
        let options =
            CrossEntropyOptions { ignore_index: Some(0), label_smoothing: 0.1, reduction, weight: None };
        g.cross_entropy_with(x, labels, options)
    },
    |g, [x, t], _, r| g.cross_entropy_with(x, t, r),
];
